// Objects on a terminal as kubectl shows them: found by the words that kubectl takes, printed as its tables, as
// YAML, JSON or names, and as the changes from one version to the next.
#pragma once

#include <optional>
#include <string>

#include "control/base/time.h"
#include "control/schema/schema.h"
#include "sim/trace_file.h"

namespace minik::cli {

struct ObjectSelection {
  const control::ResourceInfo* resource = nullptr;  // null: all, as a count of each
  std::string namespace_, name;                     // empty: any
};

// "pods", "po", "Pod", "deployments.apps" or "deploy/web". Ends the program when there is no such kind.
ObjectSelection select_objects(const std::string& kind, const std::string& name, const std::string& namespace_);
// "KIND/NAME", in the namespace given or else "default".
sim::TracedKey watched_object(const std::string& text, const std::string& namespace_);

// `format` is table, wide, name, json or yaml. Ends the program with 1 when an object asked for by name is
// not there.
void print_objects(const sim::TraceState& state, const ObjectSelection& selection, const std::string& format, WallTime now);
void print_change(Duration at, const control::Value& before, const control::Value& after);

}  // namespace minik::cli
