// The validating admission plugins that ask who writes: nobody grants what he has not, node agents keep to their node,
// pods to their namespace's standard, and certificates are signed by who may.
#include "control/api/grants.h"
#include "control/api/node_restriction.h"
#include "control/api/param_rights.h"
#include "control/api/pod_security.h"
#include "control/api/subresources.h"
#include "control/api/writer.h"
#include "control/object/keys.h"
#include "control/schema/kinds.h"

namespace minik::control {

Status Writer::check_rules(const Value& object, const Value& old) {
  MINIK_TRY(may_grant(server_.access_, request_.user, resource_, object, old));
  MINIK_TRY(check_node_restriction(server_.store_, resource_, request_, object, old));
  MINIK_TRY(check_param_rights(server_.store_, server_.schema_, server_.access_, request_.user, resource_, object, old));
  if (request_.kind == kinds::kCertificatesigningrequests && request_.subresource == "status") {
    const Key& certificate = keys::kCertificate;
    if (!(object[keys::kStatus][certificate] == old[keys::kStatus][certificate]))
      MINIK_TRY(Subresources(server_, request_).may_decide(old, "sign"));
  }
  return check_pod_security(server_.store_, resource_, request_, object, old, warnings_);
}

Status Writer::check_removal_rules(const Value& object) const {
  // An eviction has been asked already.
  if (request_.subresource == "eviction") return {};
  return check_node_restriction(server_.store_, resource_, request_, Value(), object);
}

}  // namespace minik::control
