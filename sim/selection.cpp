#include "sim/selection.h"

#include "control/controllers/pods.h"
#include "control/object/keys.h"

namespace minik::sim {

bool ObjectSelection::selects(const control::Value& object) const {
  namespace keys = control::keys;
  return (namespace_.empty() || control::object_namespace(object) == namespace_) &&
         labels.matches(object[keys::kMetadata][keys::kLabels]) && fields.matches(object) &&
         (condition.empty() || control::is_condition_true(object, condition));
}

}  // namespace minik::sim
