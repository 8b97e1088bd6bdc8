// The entry of dist/caisson-oci: the OCI runtime on the embedded QuickJS.
//
// What is evaluated here is evaluated when the executable is built, and is part of it (ARCHITECTURE.md, third host).
import { runAsProgram } from './host/quickjs.ts';
import { COMMANDS } from './oci/commands.ts';
import { ociMain } from './oci/main.ts';

for (const command of COMMANDS) await command.load();

runAsProgram((port) => ociMain(port, port.arguments));
