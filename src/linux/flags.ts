// All printing tables under one name, for the plan printer, which needs every one of them.
export * from './file-flags.ts';
export * from './flag-table.ts';
export * from './mount-flags.ts';
export * from './process-flags.ts';
