#include "control/api/node_audience.h"

#include <algorithm>

#include "control/access/node_authorizer.h"
#include "control/api/errors.h"
#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/object/volume_match.h"
#include "control/schema/kinds.h"

namespace minik::control {

namespace {

bool any_asks_for(const Value& token_requests, std::string_view audience) {
  return std::ranges::any_of(token_requests.items(), [&](const Value& r) { return r[keys::kAudience].as_string() == audience; });
}

// Who carries the volume, if it is a CSI driver: of one in the pod itself, or of what its claim is bound to.
std::string_view driver_of(const Store& store, const Value& pod, const Value& volume) {
  const Value& own = volume.get("csi");
  if (own.is_map()) return own.get("driver").as_string();
  const std::string name = claim_of_volume(pod, volume);
  if (name.empty()) return {};
  const Value& claim = store.find(kinds::kPersistentvolumeclaims, object_namespace(pod), name);
  const Value& bound = store.find(kinds::kPersistentvolumes, "", claim[keys::kSpec][keys::kVolumeName].as_string());
  return bound[keys::kSpec].get("csi").get("driver").as_string();
}

bool names_audience(const Store& store, const Value& pod, std::string_view audience) {
  for (const auto& volume : pod[keys::kSpec][keys::kVolumes].items()) {
    for (const auto& source : volume.get("projected").get("sources").items()) {
      const Value& token = source.get("serviceAccountToken");
      if (token.is_map() && token[keys::kAudience].as_string() == audience) return true;
    }
    const Value& driver = store.find(kinds::kCsidrivers, "", driver_of(store, pod, volume));
    if (any_asks_for(driver[keys::kSpec].get("tokenRequests"), audience)) return true;
  }
  return false;
}

}  // namespace

Status check_node_audience(const Store& store, const Authorizer& access, const ResourceInfo& resource,
                           const ApiRequest& request) {
  if (node_name_of(request.user).empty()) return {};
  const Value& spec = request.body[keys::kSpec];
  const auto audiences = spec[keys::kAudiences].items();
  if (audiences.size() > 1) return forbidden(resource, request.name, "node may only request 0 or 1 audiences");
  const std::string audience = audiences.empty() ? std::string() : audiences[0].string();
  const Value& pod = store.find(kinds::kPods, request.namespace_, spec[keys::kBoundObjectRef][keys::kName].as_string());
  if (names_audience(store, pod, audience)) return {};
  Attributes wanted{.verb = "request-serviceaccounts-token-audience", .group = "", .resource = audience, .subresource = "",
                    .namespace_ = request.namespace_, .name = request.name};
  if (access.allows(request.user, wanted)) return {};
  return forbidden(resource, request.name, cat("audience ", quoted(audience), " not found in pod spec volume, ", request.user.name,
                                               " is not authorized to request tokens for this audience"));
}

}  // namespace minik::control
