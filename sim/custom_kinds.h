// The kinds that a scenario's CustomResourceDefinitions define: known before the run, so that manifests, expectations and
// triggers may name them, and a schema of its own for the cluster that serves them.
//
// The numbers of kinds are given out in the order in which the file defines them, before the first definition is
// applied; so what was read with the file means the same in every run of it. A scenario without definitions runs on the
// built-in schema and costs nothing.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/object/value.h"
#include "control/schema/kind_registry.h"
#include "control/schema/schema.h"

namespace minik::sim {

struct CustomDefinition {
  std::string group, plural, kind;
  std::vector<std::string> versions;
  bool namespaced = true;
  control::KindId id;  // under which the store has the objects
};

// Numbers the definitions among these objects, Lists and nested lists; one that comes again counts once.
void find_definitions(const control::Value& objects, std::vector<CustomDefinition>& into);
const CustomDefinition* definition_of(const std::vector<CustomDefinition>& all, std::string_view kind);

// A registry with these numbers, and the schema that reads it. It outlives the cluster.
class CustomSchema {
 public:
  explicit CustomSchema(const std::vector<CustomDefinition>& definitions);
  const control::Schema& schema() const { return schema_; }

 private:
  control::KindRegistry registry_;
  control::Schema schema_{registry_};
};

// What clients ask for to get objects of this kind; nothing while its definition is not served.
std::optional<control::KindId> served_kind(const control::Schema& schema, control::KindId kind);

}  // namespace minik::sim
