#include "control/controllers/service_accounts.h"

#include "control/controllers/pods.h"
#include "control/object/keys.h"
#include "control/schema/kinds.h"

namespace minik::control {

namespace {

// The namespace of whatever changed: the child is looked at whenever one of the two moves.
KeysForChange namespace_key() {
  return [](const Snapshot&, const Value& before, const Value& after, std::vector<ObjectKey>& keys) {
    keys.push_back({"", std::string(object_namespace(after.has_value() ? after : before))});
  };
}

Value named(std::string_view name, std::string_view namespace_) {
  return Value::map({{keys::kName, name}, {keys::kNamespace, namespace_}});
}

}  // namespace

ControllerSpec service_account_controller() {
  ControllerSpec spec;
  spec.name = "service-account-controller";
  spec.kind = kinds::kNamespaces;
  spec.watches = {{kinds::kNamespaces, own_key(), {}}, {kinds::kServiceaccounts, namespace_key(), {}}};
  spec.decide = [](const Snapshot& snapshot, const ObjectKey& key, Env&) {
    Plan plan;
    const Value& home = snapshot.find(kinds::kNamespaces, "", key.name);
    if (!home.has_value() || is_deleting(home)) return plan;
    if (!snapshot.find(kinds::kServiceaccounts, key.name, "default").has_value()) {
      plan.create(kinds::kServiceaccounts, Value::map({{keys::kMetadata, named("default", key.name)}})).on_error =
          OnError::kTolerateExists;
    }
    return plan;
  };
  return spec;
}

ControllerSpec root_ca_controller(std::string ca_pem) {
  ControllerSpec spec;
  spec.name = "root-ca-certificate-publisher";
  spec.kind = kinds::kNamespaces;
  spec.watches = {{kinds::kNamespaces, own_key(), {}}, {kinds::kConfigmaps, namespace_key(), {}}};
  spec.decide = [ca = Value(ca_pem)](const Snapshot& snapshot, const ObjectKey& key, Env&) {
    Plan plan;
    const Value& home = snapshot.find(kinds::kNamespaces, "", key.name);
    if (!home.has_value() || is_deleting(home)) return plan;
    const Value data = Value::map({{"ca.crt", ca}});
    const Value& current = snapshot.find(kinds::kConfigmaps, key.name, "kube-root-ca.crt");
    if (!current.has_value()) {
      const Value note = Value::map({{"kubernetes.io/description",
                                      "The certificate authority of this cluster's API, for clients in pods."}});
      plan.create(kinds::kConfigmaps,
                  Value::map({{keys::kMetadata, named("kube-root-ca.crt", key.name).with(keys::kAnnotations, note)},
                              {keys::kData, data}}))
          .on_error = OnError::kTolerateExists;
    } else if (!(current[keys::kData] == data)) {
      plan.update(kinds::kConfigmaps, current.with(keys::kData, data));
    }
    return plan;
  };
  return spec;
}

}  // namespace minik::control
