#include "control/access/controller_roles.h"

namespace minik::control {

namespace {

using role_verbs::kRead;

constexpr std::string_view kInform = "list watch";
constexpr std::string_view kChange = "patch update";
constexpr std::string_view kReadUpdate = "get list update watch";
constexpr std::string_view kMake = "create delete list patch watch";
constexpr std::string_view kOwn = "create delete get list update watch";
constexpr std::string_view kApps = "apps extensions";
constexpr RoleRule kEvents = {"core events.k8s.io", "events", "create patch update"};

constexpr RoleRule kAttachdetachController[] = {
    {"core", "persistentvolumeclaims persistentvolumes", kInform}, {"core", "nodes", kRead},
    {"core", "nodes/status", kChange}, {"core", "pods", kInform}, kEvents,
    {"storage.k8s.io", "volumeattachments", "create delete get list watch"}, {"storage.k8s.io", "csidrivers", kRead},
    {"storage.k8s.io", "csinodes", kRead}};
constexpr RoleRule kClusterroleAggregationController[] = {
    {"rbac.authorization.k8s.io", "clusterroles", "escalate get list patch update watch"}};
constexpr RoleRule kCronjobController[] = {
    {"batch", "cronjobs", kReadUpdate}, {"batch", "jobs", "create delete get list patch update watch"},
    {"batch", "cronjobs/status", "update"}, {"batch", "cronjobs/finalizers", "update"},
    {"core", "pods", "delete list watch"}, kEvents};
constexpr RoleRule kDaemonSetController[] = {
    {kApps, "daemonsets", kRead}, {kApps, "daemonsets/status", "update"}, {kApps, "daemonsets/finalizers", "update"},
    {"core", "nodes", kInform}, {"core", "pods", kMake}, {"core", "pods/binding", "create"},
    {"apps", "controllerrevisions", "create delete get list patch update watch"}, kEvents};
constexpr RoleRule kDeploymentController[] = {
    {kApps, "deployments", kReadUpdate}, {kApps, "deployments/status", "update"},
    {kApps, "deployments/finalizers", "update"}, {kApps, "replicasets", "create delete get list patch update watch"},
    {"core", "pods", kReadUpdate}, kEvents};
constexpr RoleRule kDisruptionController[] = {
    {kApps, "deployments", kRead}, {kApps, "replicasets", kRead}, {"core", "replicationcontrollers", kRead},
    {"policy", "poddisruptionbudgets", kRead}, {"apps", "statefulsets", kRead},
    {"policy", "poddisruptionbudgets/status", "update"}, {"core", "pods/status", kChange}, {"*", "*/scale", "get"},
    kEvents};
constexpr RoleRule kEndpointController[] = {
    {"core", "pods services", kRead}, {"core", "endpoints", kOwn}, {"core", "endpoints/restricted", "create"},
    kEvents};
constexpr RoleRule kEndpointsliceController[] = {
    {"core", "nodes pods services", kRead}, {"core", "services/finalizers", "update"},
    {"discovery.k8s.io", "endpointslices", kOwn}, kEvents};
constexpr RoleRule kEndpointslicemirroringController[] = {
    {"core", "endpoints services", kRead}, {"core", "services/finalizers", "update"},
    {"core", "endpoints/finalizers", "update"}, {"discovery.k8s.io", "endpointslices", kOwn}, kEvents};
constexpr RoleRule kExpandController[] = {
    {"core", "persistentvolumes", "get list patch update watch"}, {"core", "persistentvolumeclaims/status", kChange},
    {"core", "persistentvolumeclaims", kRead}, kEvents, {"core", "services", "get"}};
constexpr RoleRule kEphemeralVolumeController[] = {
    {"core", "pods", kRead}, {"core", "pods/finalizers", "update"},
    {"core", "persistentvolumeclaims", "create get list watch"}, kEvents};
constexpr RoleRule kResourceClaimController[] = {
    {"core", "pods", kRead}, {"core", "pods/finalizers", "update"},
    {"resource.k8s.io", "resourceclaims", "create delete get list watch"},
    {"resource.k8s.io", "resourceclaims resourceclaims/status", kChange}, {"core", "pods/status", kChange}, kEvents};
constexpr RoleRule kGenericGarbageCollector[] = {{"*", "*", "delete get list patch update watch"}, kEvents};
constexpr RoleRule kHorizontalPodAutoscaler[] = {
    {"autoscaling", "horizontalpodautoscalers", kRead}, {"autoscaling", "horizontalpodautoscalers/status", "update"},
    {"*", "*/scale", "get update"}, {"core", "pods", kInform}, {"metrics.k8s.io", "pods", kInform},
    {"custom.metrics.k8s.io", "*", kRead}, {"external.metrics.k8s.io", "*", kRead}, kEvents};
constexpr RoleRule kJobController[] = {
    {"batch", "jobs", "get list patch update watch"}, {"batch", "jobs/status", "update"},
    {"batch", "jobs/finalizers", "update"}, {"core", "pods", kMake}, kEvents};
constexpr RoleRule kNamespaceController[] = {
    {"core", "namespaces", "delete get list watch"}, {"core", "namespaces/finalize namespaces/status", "update"},
    {"*", "*", "delete deletecollection get list watch"}};
constexpr RoleRule kNodeController[] = {
    {"core", "nodes", "delete get list patch update watch"}, {"core", "nodes/status", kChange},
    {"core", "pods/status", kChange}, {"core", "pods", "delete get list watch"}, kEvents};
constexpr RoleRule kPersistentVolumeBinder[] = {
    {"core", "persistentvolumes", kOwn}, {"core", "persistentvolumes/status", "update"},
    {"core", "persistentvolumeclaims", kReadUpdate}, {"core", "persistentvolumeclaims/status", "update"},
    {"core", "pods", "create delete get list watch"}, {"storage.k8s.io", "storageclasses", kRead},
    {"core", "nodes", kInform}, kEvents, {"core", "events", "watch"}, {"core", "services", "get"}};
constexpr RoleRule kPodGarbageCollector[] = {
    {"core", "pods", "delete list watch"}, {"core", "nodes", kRead}, {"core", "pods/status", "patch"}};
constexpr RoleRule kReplicasetController[] = {
    {kApps, "replicasets", kReadUpdate}, {kApps, "replicasets/status", "update"},
    {kApps, "replicasets/finalizers", "update"}, {"core", "pods", kMake}, kEvents};
constexpr RoleRule kReplicationController[] = {
    {"core", "replicationcontrollers", kReadUpdate}, {"core", "replicationcontrollers/status", "update"},
    {"core", "replicationcontrollers/finalizers", "update"}, {"core", "pods", kMake}, kEvents};
constexpr RoleRule kResourcequotaController[] = {
    {"*", "*", kInform}, {"core", "resourcequotas/status", "update"}, kEvents};
constexpr RoleRule kRouteController[] = {{"core", "nodes", kInform}, {"core", "nodes/status", "patch"}, kEvents};
constexpr RoleRule kServiceAccountController[] = {{"core", "serviceaccounts", "create"}, kEvents};
constexpr RoleRule kServiceController[] = {
    {"core", "services", kRead}, {"core", "services/status", kChange}, {"core", "nodes", kInform}, kEvents};
constexpr RoleRule kServiceCidrsController[] = {
    {"networking.k8s.io", "servicecidrs", "get list patch update watch"},
    {"networking.k8s.io", "servicecidrs/finalizers", kChange}, {"networking.k8s.io", "servicecidrs/status", kChange},
    {"networking.k8s.io", "ipaddresses", kRead}, kEvents};
constexpr RoleRule kStatefulsetController[] = {
    {"core", "pods", kInform}, {"apps", "statefulsets", kRead}, {"apps", "statefulsets/status", "update"},
    {"apps", "statefulsets/finalizers", "update"}, {"core", "pods", "create delete get patch update"},
    {"apps", "controllerrevisions", "create delete get list patch update watch"},
    {"core", "persistentvolumeclaims", "create get list watch"}, {"core", "persistentvolumeclaims", "delete update"},
    {"core", "pods/finalizers", "update"}, kEvents};
constexpr RoleRule kTtlController[] = {{"core", "nodes", "list patch update watch"}, kEvents};
constexpr RoleRule kCertificateController[] = {
    {"certificates.k8s.io", "certificatesigningrequests", "delete get list watch"},
    {"certificates.k8s.io", "certificatesigningrequests/approval certificatesigningrequests/status", "update"},
    {"certificates.k8s.io", "signers", "approve", "kubernetes.io/kube-apiserver-client-kubelet"},
    {"certificates.k8s.io", "signers", "sign",
     "kubernetes.io/kube-apiserver-client kubernetes.io/kube-apiserver-client-kubelet "
     "kubernetes.io/kubelet-serving kubernetes.io/legacy-unknown"},
    {"authorization.k8s.io", "subjectaccessreviews", "create"}, kEvents};
constexpr RoleRule kPvcProtectionController[] = {
    {"core", "persistentvolumeclaims", kReadUpdate}, {"core", "pods", kRead}, kEvents};
constexpr RoleRule kPvProtectionController[] = {{"core", "persistentvolumes", kReadUpdate}, kEvents};
constexpr RoleRule kVolumeattributesclassProtectionController[] = {
    {"core", "persistentvolumeclaims", kRead}, {"core", "persistentvolumes", kRead},
    {"storage.k8s.io", "volumeattributesclasses", kReadUpdate}, kEvents};
constexpr RoleRule kTtlAfterFinishedController[] = {{"batch", "jobs", "delete get list watch"}, kEvents};
constexpr RoleRule kRootCaCertPublisher[] = {{"core", "configmaps", "create update"}, kEvents};
constexpr RoleRule kValidatingadmissionpolicyStatusController[] = {
    {"admissionregistration.k8s.io", "validatingadmissionpolicies", kRead},
    {"admissionregistration.k8s.io", "validatingadmissionpolicies/status", "get patch update"}, kEvents};
constexpr RoleRule kLegacyServiceAccountTokenCleaner[] = {
    {"core", "configmaps", "get", "kube-apiserver-legacy-service-account-token-tracking"},
    {"core", "secrets", "delete patch"}};
constexpr RoleRule kSelinuxWarningController[] = {
    kEvents, {"core", "persistentvolumes", kRead}, {"core", "persistentvolumeclaims", kRead}, {"core", "pods", kRead},
    {"storage.k8s.io", "csidrivers", kRead}};

constexpr ControllerRole kControllers[] = {
    {"attachdetach-controller", kAttachdetachController},
    {"clusterrole-aggregation-controller", kClusterroleAggregationController},
    {"cronjob-controller", kCronjobController},
    {"daemon-set-controller", kDaemonSetController},
    {"deployment-controller", kDeploymentController},
    {"disruption-controller", kDisruptionController},
    {"endpoint-controller", kEndpointController},
    {"endpointslice-controller", kEndpointsliceController},
    {"endpointslicemirroring-controller", kEndpointslicemirroringController},
    {"expand-controller", kExpandController},
    {"ephemeral-volume-controller", kEphemeralVolumeController},
    {"resource-claim-controller", kResourceClaimController},
    {"generic-garbage-collector", kGenericGarbageCollector},
    {"horizontal-pod-autoscaler", kHorizontalPodAutoscaler},
    {"job-controller", kJobController},
    {"namespace-controller", kNamespaceController},
    {"node-controller", kNodeController},
    {"persistent-volume-binder", kPersistentVolumeBinder},
    {"pod-garbage-collector", kPodGarbageCollector},
    {"replicaset-controller", kReplicasetController},
    {"replication-controller", kReplicationController},
    {"resourcequota-controller", kResourcequotaController},
    {"route-controller", kRouteController},
    {"service-account-controller", kServiceAccountController},
    {"service-controller", kServiceController},
    {"service-cidrs-controller", kServiceCidrsController},
    {"statefulset-controller", kStatefulsetController},
    {"ttl-controller", kTtlController},
    {"certificate-controller", kCertificateController},
    {"pvc-protection-controller", kPvcProtectionController},
    {"pv-protection-controller", kPvProtectionController},
    {"volumeattributesclass-protection-controller", kVolumeattributesclassProtectionController},
    {"ttl-after-finished-controller", kTtlAfterFinishedController},
    {"root-ca-cert-publisher", kRootCaCertPublisher},
    {"validatingadmissionpolicy-status-controller", kValidatingadmissionpolicyStatusController},
    {"legacy-service-account-token-cleaner", kLegacyServiceAccountTokenCleaner},
    {"selinux-warning-controller", kSelinuxWarningController},
};

constexpr RoleRule kExtensionApiserverAuthenticationReader[] = {
    {"core", "configmaps", kRead, "extension-apiserver-authentication"}};
constexpr RoleRule kBootstrapSigner[] = {{"core", "secrets", kRead}};
constexpr RoleRule kCloudProvider[] = {{"core", "configmaps", "create get list watch"}};
constexpr RoleRule kTokenCleaner[] = {{"core", "secrets", "delete get list watch"}, kEvents};
constexpr RoleRule kSystemLeaderLockingKubeControllerManager[] = {
    {"core", "configmaps", "watch"}, {"core", "configmaps", "get update", "kube-controller-manager"}};
constexpr RoleRule kSystemLeaderLockingKubeScheduler[] = {
    {"core", "configmaps", "watch"}, {"core", "configmaps", "get update", "kube-scheduler"}};
constexpr RoleRule kBootstrapSignerInPublic[] = {
    {"core", "configmaps", kRead}, {"core", "configmaps", "update", "cluster-info"}, kEvents};

constexpr NamespaceRole kOfNamespaces[] = {
    {"kube-system", "extension-apiserver-authentication-reader", kExtensionApiserverAuthenticationReader,
     "system::extension-apiserver-authentication-reader", "system:kube-controller-manager system:kube-scheduler", ""},
    {"kube-system", "system:controller:bootstrap-signer", kBootstrapSigner, "", "", "bootstrap-signer"},
    {"kube-system", "system:controller:cloud-provider", kCloudProvider, "", "", "cloud-provider"},
    {"kube-system", "system:controller:token-cleaner", kTokenCleaner, "", "", "token-cleaner"},
    {"kube-system", "system::leader-locking-kube-controller-manager", kSystemLeaderLockingKubeControllerManager, "",
     "system:kube-controller-manager", "kube-controller-manager"},
    {"kube-system", "system::leader-locking-kube-scheduler", kSystemLeaderLockingKubeScheduler, "",
     "system:kube-scheduler", "kube-scheduler"},
    {"kube-public", "system:controller:bootstrap-signer", kBootstrapSignerInPublic, "", "", "bootstrap-signer"},
};

}  // namespace

std::span<const ControllerRole> controller_roles() { return kControllers; }
std::span<const NamespaceRole> namespace_roles() { return kOfNamespaces; }

}  // namespace minik::control
