// StatefulPod: what makes the pods of a StatefulSet themselves — their names, labels, host names
// and claims — and who owns the claims.
//
//   set "web", ordinal 2, claim template "data"  -->  pod web-2, claim data-web-2
//
// The claims outlive their pod, and the next pod of the name finds them. Their retention policy is
// written as owner references, which the garbage collector acts on: the set owns the claims that
// shall go with it, a pod that is scaled away owns those that shall go with it. A claim that
// somebody else controls is left alone. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/object/value.h"

namespace minik::control {

// Of a pod that has the set's name and a number; else nothing.
std::optional<int64_t> ordinal_of(const Value& set, const Value& pod);
int64_t first_ordinal(const Value& set);
bool is_wanted(const Value& set, int64_t ordinal);

// The pod of this ordinal as the template of a revision has it, ready to be created.
Value stateful_pod(const Value& set, const Value& pod_template, std::string_view revision,
                   int64_t ordinal);
// The labels that say which pod of the set it is.
Value with_identity_labels(const Value& labels, std::string_view pod_name, int64_t ordinal);

// The claims of this ordinal, ready to be created.
std::vector<Value> claims_of(const Value& set, int64_t ordinal);
// The claim with the owners that the retention policy wants; itself when it has them.
Value with_owners(const Value& claim, const Value& set, const Value& pod, bool pod_is_wanted);
// It belongs to an earlier pod of this name, and will go with it.
bool is_stale_claim(const Value& claim, std::string_view pod_name);
// Whether a claim of this name can be one of the set's.
bool is_claim_name_of(const Value& set, std::string_view claim_name);

}  // namespace minik::control
