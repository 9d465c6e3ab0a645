#include "control/controllers/certificate_signing.h"

#include <algorithm>

#include "control/base/text.h"
#include "control/controllers/pods.h"
#include "control/object/keys.h"
#include "control/schema/kinds.h"

namespace minik::control {

namespace {

constexpr Duration kLifetimeMax = hours(24 * 365);
constexpr Duration kKeepDecided = hours(1), kKeepPending = hours(24);
constexpr Duration kSignAgain = minutes(1);

struct Signer {
  std::string_view name, organization, name_prefix, must_use;
  CertificateOrder::OtherNames other_names;
};
constexpr Signer kSigners[] = {
    {"kubernetes.io/kube-apiserver-client", "", "", "client auth",
     CertificateOrder::OtherNames::kAllowed},
    {"kubernetes.io/kube-apiserver-client-kubelet", "system:nodes", "system:node:", "client auth",
     CertificateOrder::OtherNames::kForbidden},
    {"kubernetes.io/kubelet-serving", "system:nodes", "system:node:", "server auth",
     CertificateOrder::OtherNames::kRequired},
};

const Signer* signer_of(const Value& request) {
  const auto name = request[keys::kSpec][keys::kSignerName].as_string();
  const auto found = std::ranges::find(kSigners, name, &Signer::name);
  return found == std::end(kSigners) ? nullptr : &*found;
}

bool uses(const Value& request, std::string_view usage) {
  return std::ranges::any_of(request[keys::kSpec][keys::kUsages].items(),
                             [&](const Value& u) { return u.as_string() == usage; });
}

bool is_free_usage(std::string_view usage) { return usage == "digital signature" || usage == "key encipherment"; }

// The sentences are Kubernetes': they stand in the condition Failed.
Status check_usages(const Value& request, const Signer& signer) {
  const auto usages = request[keys::kSpec][keys::kUsages].items();
  const auto strange = std::ranges::find_if(usages, [&](const Value& usage) {
    return usage.as_string() != signer.must_use && !is_free_usage(usage.as_string());
  });
  const bool of_node = !signer.organization.empty();
  if (of_node && (strange != usages.end() || !uses(request, signer.must_use) || !uses(request, "digital signature"))) {
    std::vector<std::string_view> required{signer.must_use, "digital signature", "key encipherment"};
    std::ranges::sort(required);
    return Error(ErrorCode::kInvalid,
                 cat("usages did not match [", required[0], " ", required[1], " ", required[2], "]"));
  }
  if (strange != usages.end()) {
    return Error(ErrorCode::kInvalid, cat("invalid usage for client certificate: ", strange->as_string()));
  }
  if (!uses(request, signer.must_use)) {
    return Error(ErrorCode::kInvalid, cat("missing required usage for client certificate: ", signer.must_use));
  }
  return {};
}

Result<std::string> issue(const Value& request, const Signer& signer, const CertificateSigner& sign,
                          WallTime now) {
  MINIK_TRY(check_usages(request, signer));
  const Value& spec = request[keys::kSpec];
  const auto pem = from_base64(spec[keys::kRequest].as_string());
  if (!pem) return Error(ErrorCode::kInvalid, "the request is not base64");
  CertificateOrder order;
  order.request_pem = *pem;
  order.organization = signer.organization;
  order.name_prefix = signer.name_prefix;
  order.other_names = signer.other_names;
  order.server = signer.must_use == "server auth";
  order.key_encipherment = uses(request, "key encipherment");
  order.now = now;
  order.lifetime = kLifetimeMax;
  if (const Value& wanted = spec[keys::kExpirationSeconds]; wanted.is_int()) {
    order.lifetime = std::min(kLifetimeMax, seconds(wanted.as_int()));
  }
  return sign(order);
}

// How long the request may still stay.
Duration left_of(const Value& request, WallTime now) {
  std::optional<WallTime> decided;
  for (const std::string_view type : {"Denied", "Failed", "Approved"}) {
    const Value& told = condition(request, type);
    if (told.has_value() && !decided) decided = time_of(told[keys::kLastUpdateTime]);
  }
  if (decided) return *decided + kKeepDecided - now;
  return time_of(request[keys::kMetadata][keys::kCreationTimestamp]).value_or(now) + kKeepPending -
         now;
}

Value failed(const Value& request, const std::string& why, WallTime now) {
  return with_condition(request,
                        Value::map({{keys::kType, "Failed"},
                                    {keys::kStatus, "True"},
                                    {keys::kReason, "SignerValidationFailure"},
                                    {keys::kMessage, why},
                                    {keys::kLastUpdateTime, format_time(now)}}),
                        now);
}

Plan reconcile_signing(const CertificateSigner& sign, const Snapshot& snapshot, const ObjectKey& key,
                       Env& env) {
  const Value& request = snapshot.find(kinds::kCertificatesigningrequests, "", key.name);
  Plan plan;
  if (!request.has_value() || is_deleting(request)) return plan;
  const Signer* signer = signer_of(request);
  const bool to_sign = signer && is_condition_true(request, "Approved") &&
                       !condition(request, "Denied").has_value() &&
                       !condition(request, "Failed").has_value() &&
                       request[keys::kStatus][keys::kCertificate].as_string().empty();
  if (!to_sign) {
    const Duration left = left_of(request, env.now);
    if (left <= Duration{}) {
      plan.remove(kinds::kCertificatesigningrequests, request);
    } else {
      plan.look_again_after(left);
    }
    return plan;
  }
  const auto certificate = issue(request, *signer, sign, env.now);
  if (certificate) {
    plan.update_status(
        kinds::kCertificatesigningrequests,
        request.with_at({keys::kStatus, keys::kCertificate}, to_base64(*certificate)));
  } else if (certificate.error().code == ErrorCode::kInvalid) {
    plan.update_status(kinds::kCertificatesigningrequests,
                       failed(request, certificate.error().message, env.now));
  } else {
    plan.note(typed(request, "certificates.k8s.io/v1", "CertificateSigningRequest"), "Warning",
              "FailedSigning", certificate.error().message);
    plan.look_again_after(kSignAgain);
  }
  return plan;
}

}  // namespace

ControllerSpec certificate_signing_controller(CertificateSigner sign) {
  ControllerSpec spec;
  spec.name = "certificate-controller";
  spec.kind = kinds::kCertificatesigningrequests;
  spec.watches = {{kinds::kCertificatesigningrequests, own_key(), {}}};
  spec.decide = [sign = std::move(sign)](const Snapshot& snapshot, const ObjectKey& key, Env& env) {
    return reconcile_signing(sign, snapshot, key, env);
  };
  return spec;
}

}  // namespace minik::control
