"""From a plate and a trimap to a matte: solvers, tiles, backends, and the run over a whole job."""
