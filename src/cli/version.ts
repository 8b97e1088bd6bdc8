// The version of caisson.

export { VERSION } from '../oci/version.ts';
