// ValidatingAdmissionPolicies and their bindings: rules in CEL that a request must meet, with
// parameters from other objects, decided on the spot.
//
//   policy (what to ask) x binding (where, with which params, what to do about it) --> decisions
//
// Expressions are compiled once for each version of a policy. Decisions are in kube-apiserver's words.
// Reads the store, changes nothing; on the control thread.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "control/access/authorizer.h"
#include "control/admission/expressions.h"
#include "control/admission/matching.h"
#include "control/store/store.h"

namespace minik::control {

// What admission has to say of a request beside yes and no.
struct AdmissionRemarks {
  std::vector<std::string> warnings;               // for the client
  std::map<std::string, std::string> annotations;  // for the audit log; the first word on a key stays
};

class AdmissionPolicies {
 public:
  AdmissionPolicies(const Store& store, const Schema& schema);
  ~AdmissionPolicies();

  // Nothing to ask of anybody.
  bool empty() const;
  // An error is a denial.
  Status check(const WriteAttributes& request, AdmissionRemarks& remarks);

 private:
  struct Compiled;
  struct Decision;
  // What auditAnnotations of policies say: the values of each key, in order and each once.
  using Notes = std::map<std::string, std::vector<std::string>>;
  const Compiled& compiled(const Value& policy);
  // The parameters of a binding: one absent value where the policy takes none.
  Result<std::vector<Value>> params_of(const Value& policy, const Value& binding, const WriteAttributes& request) const;
  void decide(const Value& policy, const Value& binding, const WriteAttributes& request, const ResourceInfo& as,
              std::vector<Decision>& decisions, Notes& notes);

  const Store& store_;
  const Schema& schema_;
  const Authorizer access_;  // for expressions that ask who may do what
  std::map<std::string, Compiled> compiled_;  // by the policy's name
};

// What validation says of a policy: expressions that do not compile, and the like.
void check_policy(const Value& policy, FieldErrors& errors);
void check_policy_binding(const Value& binding, FieldErrors& errors);

}  // namespace minik::control
