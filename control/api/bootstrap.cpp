// What every cluster has before anyone asks: the four namespaces, the kubernetes Service with its
// endpoints, the system's priority classes, priority and fairness, the ingress class, the storage class and the roles.
// Idempotent: what is there stays, but roles get back what they lack, mandatory objects what they must say, and where
// the API is found is as it is now.
#include "control/access/bootstrap_roles.h"
#include "control/api/api_server.h"
#include "control/api/flow_control_keeper.h"
#include "control/api/strategy.h"
#include "control/base/check.h"
#include "control/base/log.h"
#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/object/volume_match.h"
#include "control/schema/kinds.h"

namespace minik::control {

namespace {

Value named(std::string_view name, std::string_view namespace_ = {}) {
  return Value::map({{keys::kName, name}, {keys::kNamespace, namespace_.empty() ? Value() : Value(namespace_)}});
}

}  // namespace

void ApiServer::write_own(ApiRequest request) {
  request.user = component_user("system:apiserver");
  handle(std::move(request), [](Result<ApiResponse> result) {
    if (!result && result.error().code != ErrorCode::kAlreadyExists) MINIK_LOG(kWarning, "api", result.error().message);
  });
}

void ApiServer::bootstrap() {
  const auto write = [this](Verb verb, KindId kind, std::string_view namespace_, Value object) {
    ApiRequest request;
    request.verb = verb;
    request.kind = kind;
    request.namespace_ = namespace_;
    if (verb == Verb::kUpdate) request.name = object_name(object);
    request.body = std::move(object);
    write_own(std::move(request));
  };
  const auto create = [&](KindId kind, std::string_view namespace_, Value object) {
    write(Verb::kCreate, kind, namespace_, std::move(object));
  };
  const auto create_or_complete = [&](KindId kind, Value wanted) {
    const std::string namespace_(object_namespace(wanted));
    const Value stored = store_.find(kind, namespace_, object_name(wanted));
    if (stored.is_absent()) return create(kind, namespace_, std::move(wanted));
    Value completed = reconciled(wanted, stored);
    if (!(completed == stored)) write(Verb::kUpdate, kind, namespace_, std::move(completed));
  };
  // Whatever it says besides, of `parts` it says what is wanted.
  const auto create_or_correct = [&](KindId kind, const Value& wanted, const std::vector<Key>& parts) {
    const std::string namespace_(object_namespace(wanted));
    const Value stored = store_.find(kind, namespace_, object_name(wanted));
    if (stored.is_absent()) return create(kind, namespace_, wanted);
    Value corrected = stored;
    for (const Key& part : parts) corrected = corrected.with(part, wanted[part]);
    std::vector<std::string> unseen;
    const auto complete = decode_and_default(schema_.resource(kind), corrected, stored, FieldValidation::kIgnore, unseen);
    CHECK(complete.ok()) << complete.error().message;
    if (!(*complete == stored)) write(Verb::kUpdate, kind, namespace_, *complete);
  };
  // Made once for all clusters of the process: a sweep has thousands.
  static const auto cluster_roles = bootstrap_cluster_roles(), cluster_bindings = bootstrap_cluster_role_bindings();
  for (const auto& role : cluster_roles) create_or_complete(kinds::kClusterroles, role);
  for (const auto& binding : cluster_bindings) create_or_complete(kinds::kClusterrolebindings, binding);
  for (const auto* name : {"default", "kube-system", "kube-public", "kube-node-lease"}) {
    create(kinds::kNamespaces, "", Value::map({{keys::kMetadata, named(name)}}));
  }
  for (auto& role : bootstrap_roles()) create_or_complete(kinds::kRoles, std::move(role));
  for (auto& binding : bootstrap_role_bindings()) create_or_complete(kinds::kRolebindings, std::move(binding));
  if (!options_.cluster_ca_pem.empty()) {
    // How API servers that are aggregated know the clients of this one.
    constexpr std::string_view kAuthentication = "extension-apiserver-authentication";
    MapBuilder data;
    data.set("client-ca-file", options_.cluster_ca_pem);
    if (const auto& front = options_.request_header; !front.ca_pem.empty()) {
      data.set("requestheader-client-ca-file", front.ca_pem);
      data.set("requestheader-allowed-names", cat("[\"", front.allowed_name, "\"]"));
      data.set("requestheader-username-headers", R"(["X-Remote-User"])");
      data.set("requestheader-uid-headers", R"(["X-Remote-Uid"])");
      data.set("requestheader-group-headers", R"(["X-Remote-Group"])");
      data.set("requestheader-extra-headers-prefix", R"(["X-Remote-Extra-"])");
    }
    const Value trusted = std::move(data).build();
    const Value known = store_.find(kinds::kConfigmaps, "kube-system", kAuthentication);
    if (known.is_absent()) {
      create(kinds::kConfigmaps, "kube-system", Value::map({{keys::kMetadata, named(kAuthentication)}, {keys::kData, trusted}}));
    } else if (!(known[keys::kData] == trusted)) {
      write(Verb::kUpdate, kinds::kConfigmaps, "kube-system", known.with(keys::kData, trusted));
    }
  }
  const auto priority = [&](std::string_view name, int64_t value, std::string_view description) {
    create(kinds::kPriorityclasses, "",
           Value::map({{keys::kMetadata, named(name)},
                       {keys::kValue, value},
                       {keys::kPreemptionPolicy, "PreemptLowerPriority"},
                       {keys::kDescription, description}}));
  };
  priority("system-cluster-critical", 2000000000, "For pods the cluster cannot do without.");
  priority("system-node-critical", 2000001000, "For pods a node cannot do without.");
  create(kinds::kIngressclasses, "",
         Value::map({{keys::kMetadata,
                      named("minik").with(
                          keys::kAnnotations,
                          Value::map({{"ingressclass.kubernetes.io/is-default-class", "true"}}))},
                     {keys::kSpec, Value::map({{keys::kController, "minik.dev/ingress"}})}}));
  create(kinds::kStorageclasses, "",
         Value::map({{keys::kMetadata,
                      named("standard").with(keys::kAnnotations,
                                             Value::map({{Key(volume_notes::kDefaultClass), "true"}}))},
                     {keys::kProvisioner, kLocalPathProvisioner},
                     {keys::kReclaimPolicy, "Delete"},
                     {keys::kVolumeBindingMode, "WaitForFirstConsumer"},
                     {keys::kAllowVolumeExpansion, true}}));
  flow_keeper_ = std::make_unique<FlowControlKeeper>(executor_, store_, [this](ApiRequest request) { write_own(std::move(request)); });
  flow_keeper_->restore();
  const Value labels = Value::map({{"component", "apiserver"}, {"provider", "kubernetes"}});
  const Value port = Value::map({{keys::kName, "https"},
                                 {keys::kPort, 443},
                                 {keys::kProtocol, "TCP"},
                                 {keys::kTargetPort, options_.advertise_port}});
  // The first address of the range is the API's, as everywhere.
  const auto base = split(options_.service_cidr_prefix, '/')[0];
  const std::string address = cat(base.substr(0, base.rfind('.')), ".1");
  const Value known = store_.find(kinds::kServices, "default", "kubernetes")[keys::kSpec];
  const Value service = known.has_value() ? known.with(keys::kPorts, Value::array({port}))
                                          : Value::map({{keys::kClusterIP, address}, {keys::kPorts, Value::array({port})}});
  create_or_correct(kinds::kServices,
                    Value::map({{keys::kMetadata, named("kubernetes", "default").with(keys::kLabels, labels)},
                                {keys::kSpec, service}}),
                    {keys::kSpec});
  if (options_.advertise_address.empty()) return;
  // Where it is now: the port may be another one than last time.
  const Value endpoint_port = Value::map(
      {{keys::kName, "https"}, {keys::kPort, options_.advertise_port}, {keys::kProtocol, "TCP"}});
  const Value of_service = Value::map({{"kubernetes.io/service-name", "kubernetes"}});
  const Value endpoint = Value::map({{keys::kAddresses, Value::array({Value(options_.advertise_address)})},
                                     {keys::kConditions, Value::map({{keys::kReady, true}})}});
  create_or_correct(kinds::kEndpointslices,
                    Value::map({{keys::kMetadata, named("kubernetes", "default").with(keys::kLabels, of_service)},
                                {keys::kAddressType, "IPv4"},
                                {keys::kPorts, Value::array({endpoint_port})},
                                {keys::kEndpoints, Value::array({endpoint})}}),
                    {keys::kPorts, keys::kEndpoints});
  const Value own_slice = Value::map({{"endpointslice.kubernetes.io/skip-mirror", "true"}});
  const Value own_address = Value::map({{keys::kIp, options_.advertise_address}});
  const Value subset = Value::map({{keys::kAddresses, Value::array({own_address})}, {keys::kPorts, Value::array({endpoint_port})}});
  create_or_correct(kinds::kEndpoints,
                    Value::map({{keys::kMetadata, named("kubernetes", "default").with(keys::kLabels, own_slice)},
                                {keys::kSubsets, Value::array({subset})}}),
                    {keys::kSubsets});
}

}  // namespace minik::control
