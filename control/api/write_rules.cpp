// The validating admission plugins that ask who writes: nobody grants what he has not, node agents keep to their node,
// pods to their namespace's standard, and certificates are signed by who may.
#include <algorithm>
#include <iterator>

#include "control/api/errors.h"
#include "control/api/grants.h"
#include "control/api/node_restriction.h"
#include "control/api/param_rights.h"
#include "control/api/pod_security.h"
#include "control/api/strategy.h"
#include "control/api/subresources.h"
#include "control/api/writer.h"
#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/schema/certificate_request.h"
#include "control/schema/kinds.h"

namespace minik::control {

namespace {

// The admission plugin CertificateSubjectRestriction: nobody becomes a member of system:masters by a certificate.
Status check_certificate_subject(const ResourceInfo& resource, const Value& request) {
  constexpr std::string_view kSigner = "kubernetes.io/kube-apiserver-client", kMasters = "system:masters";
  const Value& spec = request[keys::kSpec];
  if (spec[keys::kSignerName].as_string() != kSigner) return {};
  const auto pem = from_base64(spec[keys::kRequest].as_string());
  const auto subject = read_certificate_subject(pem ? *pem : "");
  if (!subject) return forbidden(resource, object_name(request), cat("failed to parse CSR: ", subject.error().message));
  if (std::ranges::find(subject->organizations, kMasters) == subject->organizations.end()) return {};
  return forbidden(resource, object_name(request), cat("use of ", kSigner, " signer with ", kMasters, " group is not allowed"));
}

}  // namespace

Status Writer::check_rules(const Value& object, const Value& old) {
  MINIK_TRY(may_grant(server_.access_, request_.user, resource_, object, old));
  MINIK_TRY(check_node_restriction(server_.store_, resource_, request_, object, old));
  MINIK_TRY(check_param_rights(server_.store_, server_.schema_, server_.access_, request_.user, resource_, object, old));
  const bool certificate_request = request_.kind == kinds::kCertificatesigningrequests;
  if (certificate_request && request_.subresource.empty() && old.is_absent()) MINIK_TRY(check_certificate_subject(resource_, object));
  if (certificate_request && request_.subresource == "status") {
    auto causes = added_decisions(object, old);
    std::ranges::move(removed_decisions(object, old), std::back_inserter(causes));
    if (!causes.empty()) return invalid(resource_, request_.name, std::move(causes));
    const auto differs = [&](const Key& field) { return object[keys::kStatus][field] != old[keys::kStatus][field]; };
    if (differs(keys::kCertificate) || differs(keys::kConditions)) MINIK_TRY(Subresources(server_, request_).may_decide(old, "sign"));
  }
  return check_pod_security(server_.store_, resource_, request_, object, old, warnings_);
}

Status Writer::check_removal_rules(const Value& object) const {
  // An eviction has been asked already.
  if (request_.subresource == "eviction") return {};
  return check_node_restriction(server_.store_, resource_, request_, Value(), object);
}

}  // namespace minik::control
