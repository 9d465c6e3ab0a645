// Kinds with two served forms of one stored object: a HorizontalPodAutoscaler of autoscaling/v1 is the one of
// autoscaling/v2, an Event of events.k8s.io is the one of the core group. Who writes one form reads the other.
//
//   request in the served form --to_stored--> the stored kind's own path --to_served--> answer, watch events
//
// What the served form cannot say travels in annotations (autoscaling/v1's other metrics), so that reading and writing
// back in it loses nothing. Pure functions of objects without apiVersion and kind; they trust that their input is
// decoded. Field selectors are translated by the same names.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "control/object/object_ref.h"
#include "control/object/value.h"

namespace minik::control {

struct FieldRename {
  std::string_view served, stored;
};

struct TwinKind {
  KindId served, stored;
  Value (*to_stored)(const Value& object);
  Value (*to_served)(const Value& object);
  std::span<const FieldRename> renames;
};

// Null for a kind that is stored as it is served.
const TwinKind* twin_of(KindId served);

// "regarding.name=web" as the stored kind has it: "involvedObject.name=web".
std::string stored_field_selector(const TwinKind& twin, std::string_view selector);

}  // namespace minik::control
