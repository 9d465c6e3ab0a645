// MutatingAdmissionPolicies and their bindings: changes in CEL that a request gets before webhooks see it.
//
//   Object{spec: Object.spec{replicas: 3}}                                    applied by structured merge
//   [JSONPatch{op: "add", path: "/metadata/labels/a", value: "b"}]             patched
//
// Policies are applied in the order of their names, each to what those before it have made of the object. Whoever changes
// the object after a policy with reinvocationPolicy IfNeeded has that policy applied again, once (MutationRounds).
// A mutation that fails leaves the object as it is, and refuses the request unless failurePolicy is Ignore. What an
// apply configuration may not name are atomic lists, maps and structs, since it would drop what it does not mention.
// Errors are in kube-apiserver's words. Reads the store, changes nothing; on the control thread.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "control/access/authorizer.h"
#include "control/admission/policy_parts.h"

namespace minik::control {

// Makes an object of a changed document as the server's own rules want it.
using Redecode = std::function<Result<Value>(const Value& document)>;

// What the first round of a request leaves for the second.
struct MutationRounds {
  bool second = false;
  std::vector<std::string> applied;  // those that may be applied again, since the object was last changed
  std::set<std::string> due;         // those that are to be
  Value left;                        // the object as the policies left it
};

class MutatingPolicies {
 public:
  MutatingPolicies(const Store& store, const Schema& schema);
  ~MutatingPolicies();

  // Nothing to ask of anybody.
  bool empty() const;
  // The object as the policies want it.
  Result<Value> mutate(const WriteAttributes& request, MutationRounds& rounds, const Redecode& redecode);

 private:
  struct Compiled;
  struct Mutation;
  const Compiled& compiled(const Value& policy);
  Result<Value> applied(const Mutation& mutation, const cel::Datum& made, const Value& document, const ResourceInfo& as) const;

  const Store& store_;
  const Schema& schema_;
  const Authorizer access_;
  PolicyCache<Compiled> compiled_;
};

// What the expressions of such a policy may name and make.
const cel::Environment& mutation_environment();
// The type that the expression of a patch must yield.
const cel::Type& apply_configuration_type();
const cel::Type& json_patch_list_type();

}  // namespace minik::control
