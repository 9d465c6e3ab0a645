// The subsets of Endpoints in their plainest form, as Kubernetes' repacking makes it: ports with the same addresses
// stand together in one subset, whatever subsets they were written in, and an address that is ready for a port in one
// of them and not ready in another is not ready.
//
// Addresses are the same when they agree in IP and in the uid of their target. A pure function; what comes first in
// the document comes first here, ports within a subset are in the order of their names.
#pragma once

#include <vector>

#include "control/object/value.h"

namespace minik::control {

struct PlainSubset {
  std::vector<Value> ports;  // with a name, be it empty, and a protocol
  std::vector<Value> ready, not_ready;
};

std::vector<PlainSubset> plain_subsets(const Value& subsets);

}  // namespace minik::control
