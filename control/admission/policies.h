// ValidatingAdmissionPolicies and their bindings: rules in CEL that a request must meet, with
// parameters from other objects, decided on the spot.
//
//   policy (what to ask) x binding (where, with which params, what to do about it) --> decisions
//
// Expressions are compiled once for each version of a policy. Decisions are in kube-apiserver's words.
// Reads the store, changes nothing; on the control thread.
#pragma once

#include <string>
#include <vector>

#include "control/access/authorizer.h"
#include "control/admission/policy_parts.h"

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
  void decide(const BoundPolicy& bound, const WriteAttributes& request, std::vector<Decision>& decisions, Notes& notes);

  const Store& store_;
  const Schema& schema_;
  const Authorizer access_;  // for expressions that ask who may do what
  PolicyCache<Compiled> compiled_;
};

}  // namespace minik::control
