#include "control/client/snapshot.h"

#include "control/base/check.h"

namespace minik::control {

const ObjectCache& Snapshot::cache(KindId kind) const {
  const auto found = caches_.find(kind);
  CHECK(found != caches_.end()) << "kind " << kind.value << " is not among what the controller watches";
  return *found->second;
}

}  // namespace minik::control
