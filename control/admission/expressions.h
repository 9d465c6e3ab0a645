// What expressions of admission may name: request with its fields; object, oldObject, namespaceObject, params and
// variables without declared ones; and authorizer, which answers what the sender of the request may do.
#pragma once

#include <span>
#include <vector>

#include "control/access/authorizer.h"
#include "control/admission/attributes.h"
#include "control/cel/program.h"

namespace minik::control {

const cel::Environment& admission_environment();

// The bindings of one request, in the order of the environment. `as` is the kind as which it matched.
class AdmissionBindings {
 public:
  AdmissionBindings(const WriteAttributes& request, const ResourceInfo& as, const Value& namespace_object);
  void set_params(const Value& params);
  void set_variables(std::vector<cel::Datum::Entry> variables);
  // Without it questions to the authorizer fail. `access` outlives the bindings.
  void set_authorizer(const Authorizer& access, const WriteAttributes& request, const ResourceInfo& as);
  std::span<const cel::Datum> values() const { return values_; }

 private:
  std::vector<cel::Datum> values_;
};

// spec.matchConditions, compiled.
struct CompiledCondition {
  std::string name;
  cel::Program program;
};
Result<std::vector<CompiledCondition>> compile_conditions(const Value& conditions);
// False where one does not hold; an error where one failed and none was false.
Result<bool> conditions_hold(const std::vector<CompiledCondition>& conditions, const AdmissionBindings& bindings,
                             cel::Budget& budget);

}  // namespace minik::control
