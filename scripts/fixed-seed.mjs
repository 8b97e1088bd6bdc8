// Gives fast-check one seed, so that `npm test` says the same twice; test:long draws new ones and finds what is new.
import fc from 'fast-check';

fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: 20261124 });
