// What validating and mutating policies have in common: which of them a request meets and with which parameters, and
// their variables.
//
//   policy (what to ask) x binding (where, with which params) x params --> an invocation
//
// Reads the store, changes nothing; on the control thread.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "control/admission/expressions.h"
#include "control/admission/matching.h"
#include "control/object/keys.h"
#include "control/object/object_ref.h"
#include "control/store/store.h"

namespace minik::control {

struct BoundPolicy {
  Value policy, binding;
  const ResourceInfo* as = nullptr;  // the kind as which the request matched
};
// In the order of the policies' names, and then of the bindings'.
std::vector<BoundPolicy> bound_policies(const Store& store, const Schema& schema, KindId policies, KindId bindings,
                                        const WriteAttributes& request);
// The parameters of a binding: one absent value where the policy takes none. An error where there are none although
// there should be; kNotFound when their kind is not known.
Result<std::vector<Value>> params_of(const Store& store, const Schema& schema, const BoundPolicy& bound,
                                     const WriteAttributes& request);
// Whose fault it is that there are none, and in which words: the binding, or absent where the policy asks for a kind
// that nobody serves.
struct Unconfigured {
  Value binding;
  std::string why;
};
Unconfigured unconfigured(const BoundPolicy& bound, const Error& error);
// The namespace of the request as expressions see it; null for what is in none.
Value namespace_of(const Store& store, const Schema& schema, const WriteAttributes& request);

struct PolicyVariable {
  std::string name;
  Result<cel::Program> program;
};
std::vector<PolicyVariable> compile_variables(const Value& variables, const cel::Environment& environment);
// Each may name those before it. An error stays with its variable: who does not name it does not meet it.
void bind_variables(const std::vector<PolicyVariable>& variables, AdmissionBindings& bindings, cel::Budget& budget);

// What every policy is compiled to, whatever else it asks or changes.
struct CompiledPolicy {
  Value source;  // its spec, held so that its identity stays taken
  Result<std::vector<CompiledCondition>> conditions = std::vector<CompiledCondition>();
  std::vector<PolicyVariable> variables;
};
CompiledPolicy compile_policy(const Value& spec, const cel::Environment& environment);

// Compiled policies by name, each made once for each version of its spec. `Compiled` is a CompiledPolicy and more.
template <typename Compiled>
class PolicyCache {
 public:
  // Valid until the next call for a policy of this name. `complete(spec, made)` adds what is this kind's own.
  template <typename Complete>
  const Compiled& of(const Value& policy, const cel::Environment& environment, const Complete& complete) {
    Compiled& known = by_name_[std::string(object_name(policy))];
    const Value& spec = policy[keys::kSpec];
    if (known.source.has_value() && known.source.same_node(spec)) return known;
    known = Compiled{compile_policy(spec, environment)};
    complete(spec, known);
    return known;
  }

 private:
  std::map<std::string, Compiled> by_name_;
};

}  // namespace minik::control
