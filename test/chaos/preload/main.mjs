// What `node --import` loads into a server under test, in this order: the wrappers of methods lie around the overrides.
import './clock.mjs';
import './sweeper.mjs';
import './fail-points.mjs';
