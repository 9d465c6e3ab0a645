#include "control/api/stored_kinds.h"

#include "control/api/custom_resources.h"
#include "control/api/twin_kinds.h"

namespace minik::control {

KindNames stored_kind_names(const Schema& schema) {
  KindNames names;
  names.name = [&schema](KindId kind) { return schema.resource(kind).group_resource(); };
  names.find = [&schema](std::string_view text) -> std::optional<KindId> {
    for (const auto& resource : schema.resources()) {
      if (twin_of(resource.id) == nullptr && resource.group_resource() == text) return resource.id;
    }
    if (schema.registry() == nullptr) return std::nullopt;
    return CustomResources::recovered_kind(*schema.registry(), text);
  };
  return names;
}

}  // namespace minik::control
