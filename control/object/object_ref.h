// How the control plane names objects: a kind by a small number, an object by namespace and name, and
// a moment of the store by a Revision. Plain values without ownership of anything but their text.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "control/base/text.h"
#include "control/object/value.h"

namespace minik::control {

// A resource of the schema (control/schema gives them out). Stable inside one process only: what is
// stored on disk names kinds by group and resource.
struct KindId {
  uint16_t value = 0;
  auto operator<=>(const KindId&) const = default;
};

// The number behind metadata.resourceVersion: one sequence for all kinds, the row number of the log.
// 0 is "none": no object has it.
struct Revision {
  uint64_t value = 0;
  auto operator<=>(const Revision&) const = default;
};

// Namespace is empty for cluster-scoped objects.
struct ObjectKey {
  std::string namespace_;
  std::string name;
  auto operator<=>(const ObjectKey&) const = default;
  // "default/web", or "node-1" without a namespace, as Kubernetes' logs write keys.
  std::string text() const { return namespace_.empty() ? name : cat(namespace_, "/", name); }
};

// Readers of metadata that every layer needs; absent fields read as empty. The results point into the
// object.
std::string_view object_name(const Value& object);
std::string_view object_namespace(const Value& object);
std::string_view object_uid(const Value& object);
Revision object_revision(const Value& object);
ObjectKey key_of(const Value& object);
// metadata.deletionTimestamp is set: the object is on its way out.
bool is_deleting(const Value& object);
// The one entry of metadata.ownerReferences with controller: true, or absent.
const Value& controller_of(const Value& object);
// The annotation of this name, or absent.
const Value& annotation(const Value& object, std::string_view name);

// The object with this annotation set; without it, where the value is absent.
Value with_annotation(const Value& object, std::string_view name, Value value);

// A resourceVersion as clients send it; nothing for text that no server ever gave out.
std::optional<Revision> parse_revision(std::string_view text);

}  // namespace minik::control
