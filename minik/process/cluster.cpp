#include "minik/process/cluster.h"

#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/api/api_server.h"
#include "control/api/local_client.h"
#include "control/api/stored_kinds.h"
#include "control/base/log.h"
#include "control/base/text.h"
#include "control/controllers/controller_manager.h"
#include "control/kubelet/agent_pages.h"
#include "control/kubelet/kubelet.h"
#include "control/kubelet/metered_runtime.h"
#include "control/object/json.h"
#include "control/object/keys.h"
#include "control/scheduler/scheduler.h"
#include "control/schema/kind_registry.h"
#include "control/schema/kinds.h"
#include "control/store/store.h"
#include "minik/net/api_front.h"
#include "minik/net/api_pages.h"
#include "minik/net/blocking_stream.h"
#include "minik/net/extension_servers.h"
#include "minik/net/http_server.h"
#include "minik/net/io_threads.h"
#include "minik/net/listen.h"
#include "minik/process/asio_executor.h"
#include "minik/process/audit_log.h"
#include "minik/process/authenticator.h"
#include "minik/process/cluster_end.h"
#include "minik/process/container_adapter.h"
#include "minik/process/eviction_config.h"
#include "minik/process/ingress.h"
#include "minik/process/key_pair_check.h"
#include "minik/process/kubeconfig.h"
#include "minik/process/machine.h"
#include "minik/process/node_network.h"
#include "minik/process/node_services.h"
#include "minik/process/node_streams.h"
#include "minik/process/pki.h"
#include "minik/process/process_metrics.h"
#include "minik/process/scheduler_config.h"
#include "minik/process/service_account_token.h"
#include "minik/process/session_threads.h"
#include "minik/process/time_zone_files.h"
#include "minik/process/webhook_client.h"
#include "minik/process/worker_pool.h"
#include "runtime/container/files.h"
#include "runtime/image/image_maker.h"
#include "runtime/image/image_store.h"

namespace minik {

namespace {

constexpr const char* kIssuer = "https://kubernetes.default.svc.cluster.local";
constexpr size_t kWorkers = 4;
constexpr size_t kIoThreads = 2;

uint64_t random_seed() {
  uint64_t seed = 0;
  CHECK(getrandom(&seed, sizeof seed, 0) == sizeof seed);
  return seed;
}

int64_t file_bytes(const std::string& path) {
  struct stat found {};
  return stat(path.c_str(), &found) == 0 ? found.st_size : 0;
}

WallTime wall_now() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return {now.tv_sec * 1'000'000'000LL + now.tv_nsec};
}

}  // namespace

// In order of construction: what stands below uses what stands above, and goes first.
struct Cluster::Parts {
  Profile profile;
  control::KindRegistry kinds;
  const control::Schema schema{kinds};
  AsioExecutor executor;
  std::string fatal;
  ClusterPki pki;
  std::shared_ptr<const TokenSigner> signer;
  StaticTokens tokens;
  std::optional<control::AuditPolicy> audit_policy;
  std::unique_ptr<AuditLog> audit_log;
  std::unique_ptr<runtime::ImageStore> images;
  std::unique_ptr<NodeNetwork> network;
  std::unique_ptr<ContainerAdapter> containers;
  std::unique_ptr<WorkerPool> workers;  // made before the containers, and goes first: its work is in them and the network
  MetricRegistry metrics;
  MetricRegistry::Collector process_metrics, log_metrics, audit_metrics;
  std::unique_ptr<control::SqliteLog> log;
  std::unique_ptr<control::Store> store;
  std::unique_ptr<WebhookClient> webhooks;
  std::unique_ptr<HttpsExtensionServers> extension_servers;
  std::unique_ptr<control::ApiServer> api;
  std::unique_ptr<control::LocalClient> controller_client, scheduler_client, kubelet_client;
  std::unique_ptr<control::ControllerManager> controllers;
  std::unique_ptr<control::EventRecorder> scheduler_events;
  control::SchedulerConfiguration scheduler_config;
  control::EvictionThresholds eviction_thresholds;
  std::unique_ptr<control::Scheduler> scheduler;
  std::unique_ptr<control::MeteredRuntime> metered_containers;
  std::unique_ptr<control::Kubelet> kubelet;
  SessionThreads sessions;
  std::unique_ptr<NodeStreams> streams;
  std::unique_ptr<ApiPages> pages;
  std::unique_ptr<ApiFront> front;
  std::unique_ptr<IoThreads> io;
  std::unique_ptr<NodeServices> services;
  std::unique_ptr<Ingress> ingress;
  std::unique_ptr<HttpServer> server;
  // While the loops that sessions answer on still run; what the loops ask for afterwards is dropped.
  struct EndOfSessions {
    SessionThreads& sessions;
    ~EndOfSessions() { sessions.end(); }
  } end_of_sessions{sessions};
  std::vector<UniqueFd> pending_listeners;  // served as soon as the control thread runs
  std::shared_ptr<TlsServer> server_tls;

  Status open_keys();
  Status open_audit_log();
  Status open_images();
  Status open_store();
  Status listen();
  void assemble();
  void serve_agent_page(const AgentPageRequest& request, const std::function<void(Result<AgentPage>)>& done);
  control::Value pods_of(const std::string& node) const;
};

Cluster::Cluster() : parts_(std::make_unique<Parts>()) {}
Cluster::~Cluster() = default;

const std::string& Cluster::fatal() const {
  return parts_->fatal;
}
const Profile& Cluster::profile() const {
  return parts_->profile;
}

Status Cluster::Parts::open_keys() {
  ServerNames names;
  names.dns_names = {profile.name};
  names.addresses = {runtime::PodNetworkConfig{}.gateway};
  MINIK_ASSIGN(pki, open_pki(profile.pki(), names, wall_now()));
  MINIK_ASSIGN(auto opened, TokenSigner::create(pki.service_account_key_pem, kIssuer));
  signer = std::make_shared<const TokenSigner>(std::move(opened));
  MINIK_ASSIGN(tokens, kept_tokens(profile));
  return {};
}

Status Cluster::Parts::open_audit_log() {
  MINIK_ASSIGN(audit_policy, kept_audit_policy(profile));
  if (!audit_policy) return {};
  AuditLogOptions options;
  options.path = profile.audit_log();
  MINIK_ASSIGN(audit_log, AuditLog::open(std::move(options)));
  return {};
}

Status Cluster::Parts::open_images() {
  MINIK_ASSIGN(images, runtime::ImageStore::open(profile.images()));
  char self[4096];
  const ssize_t n = readlink("/proc/self/exe", self, sizeof self);
  runtime::BuiltInImage demo;
  demo.executable = std::string(self, n > 0 ? static_cast<size_t>(n) : 0);
  demo.command = {"demo-server"};
  demo.exposed_ports = {"8080/tcp"};
  auto made = runtime::make_image(*images, demo);
  if (!made) return std::move(made).error().in("make the image minik/demo");
  return {};
}

Status Cluster::Parts::open_store() {
  MINIK_ASSIGN(log, control::SqliteLog::open(profile.database(), executor, control::stored_kind_names(schema)));
  MINIK_ASSIGN(auto state, log->recover());
  store = std::make_unique<control::Store>(*log, [this](const Error& error) {
    fatal = error.message;
    executor.stop();
  });
  store->load(std::move(state));
  return {};
}

void Cluster::Parts::assemble() {
  const Rng rng(random_seed());
  control::ApiServerOptions options;
  options.cluster_ca_pem = pki.ca.certificate_pem;
  // Where pods find us: the node's own address, behind the kubernetes Service.
  options.advertise_address = network->pods().gateway();
  options.advertise_port = profile.api_port;
  options.issue_token = [this](const control::TokenOrder& order) -> Result<std::string> {
    TokenClaims claims;
    claims.audiences =
        order.audiences.empty() ? std::vector<std::string>{kIssuer} : order.audiences;
    claims.issued_at = claims.not_before = order.issued;
    claims.expires_at = order.expires;
    claims.id = Rng(random_seed()).uuid();
    claims.namespace_ = order.bond.namespace_;
    const auto object = [](const control::BoundObject& bound) { return TokenObject{bound.name, bound.uid}; };
    claims.service_account = object(order.bond.account);
    claims.pod = object(order.bond.pod);
    claims.secret = object(order.bond.secret);
    claims.node = object(order.bond.node);
    return signer->sign(claims);
  };
  options.verify_token = token_verifier(signer, tokens, executor);
  options.api_audience = kIssuer;
  if (audit_policy) {
    options.auditor = std::make_shared<control::Auditor>(
        *audit_policy, rng.fork("audit"), [log = audit_log.get()](control::AuditRecord record) { log->write(std::move(record)); });
  }
  webhooks = std::make_unique<WebhookClient>(
      executor, [this](const std::string& address, int port, int timeout_ms) { return network->connect(address, port, Deadline(milliseconds(timeout_ms))); });
  options.webhook_caller = webhooks.get();
  const auto open_socket = [&pods = network->pods()]() -> Result<UniqueFd> {
    MINIK_ASSIGN(const int fd, pods.open_socket(SOCK_STREAM));
    return UniqueFd(fd);
  };
  extension_servers = std::make_unique<HttpsExtensionServers>(
      executor, io->loop(0), FrontProxyKeys{pki.front_proxy_client.certificate_pem, pki.front_proxy_client.private_key_pem},
      open_socket);
  options.extension_servers = extension_servers.get();
  options.request_header = {pki.front_proxy_ca.certificate_pem, kFrontProxyName};
  options.field_accounts = control::FieldAccounts::kAlways;
  options.key_pair_problem = key_pair_problem;
  api = std::make_unique<control::ApiServer>(executor, *store, schema, metrics, rng.fork("api"),
                                             std::move(options));
  api->bootstrap();
  const auto client = [this](const char* name) {
    return std::make_unique<control::LocalClient>(executor, *api, control::component_user(name));
  };
  controller_client = client("system:kube-controller-manager");
  scheduler_client = client("system:kube-scheduler");
  kubelet_client = client("system:node:minik");
  control::ControllerManagerOptions manager;
  manager.cluster_ca_pem = pki.ca.certificate_pem;
  manager.sign_certificate = [ca = pki.ca](const control::CertificateOrder& order) {
    using Names = control::CertificateOrder::OtherNames;
    return sign_certificate_request(ca, order.request_pem,
                                    {.organization = order.organization,
                                     .name_prefix = order.name_prefix,
                                     .may_have_other_names = order.other_names != Names::kForbidden,
                                     .must_have_other_names = order.other_names == Names::kRequired,
                                     .server = order.server,
                                     .key_encipherment = order.key_encipherment},
                                    order.now, order.lifetime);
  };
  manager.sign_secret_token = [this](const control::SecretTokenOrder& order) -> Result<std::string> {
    TokenClaims claims;
    claims.end = TokenEnd::kWithSecret;
    claims.namespace_ = order.namespace_;
    claims.service_account = {order.account, order.account_uid};
    claims.secret.name = order.secret;
    return signer->sign(claims);
  };
  manager.time_zones = read_time_zone_file;
  manager.local_volume_root = cat(profile.directory, "/volumes");
  manager.remove_volume_directory = [this, root = manager.local_volume_root](
                                        const std::string& node, const std::string& path,
                                        std::function<void(Status)> done) {
    // After a rename of the profile nobody will ever be that node.
    if (!kubelet || node != kubelet->node_name()) {
      executor.post([done = std::move(done), node] {
        done(Error(ErrorCode::kNotFound, cat("node ", minik::quoted(node), " is not here")));
      });
      return;
    }
    containers->remove_volume_directory(root, path, [done = std::move(done)](Result<Unit> result) {
      done(result ? Status() : Status(result.error()));
    });
  };
  controllers = std::make_unique<control::ControllerManager>(
      schema, executor, *controller_client, metrics, rng.fork("controllers"), manager);
  scheduler_events = std::make_unique<control::EventRecorder>(
      executor, *scheduler_client, control::kinds::kEvents, "default-scheduler", "",
      rng.fork("scheduler/events"));
  scheduler = std::make_unique<control::Scheduler>(
      executor, *scheduler_client, controllers->informers(), *scheduler_events, metrics,
      rng.fork("scheduler"), scheduler_config);
  auto config = node_config(profile.name, profile.directory);
  config.addresses = {network->pods().gateway()};
  config.metrics = &metrics;
  config.eviction.thresholds = eviction_thresholds;
  config.eviction.goes_on = [] { return true; };
  metered_containers = std::make_unique<control::MeteredRuntime>(executor, *containers, metrics);
  kubelet = std::make_unique<control::Kubelet>(
      std::move(config), executor, *kubelet_client, *metered_containers,
      &controllers->informers().of(control::kinds::kServices).cache(), rng.fork("kubelet"));
  for (const auto kind : {control::kinds::kConfigmaps, control::kinds::kSecrets}) {
    controllers->informers().of(kind).subscribe(
        [this, kind](const control::Value& before, const control::Value& after) {
          if (kubelet) kubelet->on_reference(kind, before, after);
        });
  }
  api->set_usage_source([this](const std::string& node, control::UsageCallback done) {
    if (kubelet && node == kubelet->node_name()) {
      kubelet->usage(std::move(done));
    } else {
      done(Error(ErrorCode::kServiceUnavailable, cat("no node agent answers for ", node)));
    }
  });
  streams =
      std::make_unique<NodeStreams>(sessions, *containers, network.get(), [this](const std::string& node) {
        return node == kubelet->node_name() ? kubelet.get() : nullptr;
      });
  ApiPagesOptions page_options;
  page_options.server_address = cat("127.0.0.1:", profile.api_port);
  page_options.issuer = signer->issuer();
  page_options.jwks = signer->jwks();
  page_options.extension_servers = extension_servers.get();
  const std::string page_version = page_options.git_version;
  pages = std::make_unique<ApiPages>(schema, std::move(page_options));
  ApiFrontOptions front_options;
  front_options.schema = &schema;
  front_options.control = &executor;
  front_options.server = [this] { return api.get(); };
  front_options.authenticate = authenticate_with(token_verifier(signer, tokens, executor), kIssuer);
  front_options.audits = audit_policy.has_value();
  front_options.agent_page = [this](const AgentPageRequest& request, const auto& done) {
    serve_agent_page(request, done);
  };
  front_options.open_socket = open_socket;
  front_options.extension_servers = extension_servers.get();
  process_metrics = collect_process_metrics(metrics, page_version);
  log_metrics = metrics.collect([this, &size = metrics.gauge("minik_store_log_bytes",
                                                             "The database and its log on the disk."),
                                 &storage = metrics.gauge("apiserver_storage_size_bytes",
                                                          "The same under the kube-apiserver's name.",
                                                          {{"storage_cluster_id", "minik"}})] {
    size.set(file_bytes(profile.database()) + file_bytes(profile.database() + "-wal"));
    storage.set(size.value());
  });
  if (audit_log) audit_metrics = audit_log->collect(metrics);
  front_options.pages = pages.get();
  front_options.streams = streams.get();
  front = std::make_unique<ApiFront>(std::move(front_options));
}

control::Value Cluster::Parts::pods_of(const std::string& node) const {
  std::vector<control::Value> pods;
  const auto all = api->store().list(control::kinds::kPods, "");
  for (const auto& pod : all->objects) {
    if (pod[control::keys::kSpec][control::keys::kNodeName].as_string() == node) pods.push_back(pod);
  }
  return control::Value::map({{control::keys::kApiVersion, "v1"},
                              {control::keys::kKind, "PodList"},
                              {control::keys::kMetadata, control::Value::empty_map()},
                              {control::keys::kItems, control::Value::array(std::move(pods))}});
}

// What the kubelet serves on its own port; here it is a page of the one process.
void Cluster::Parts::serve_agent_page(const AgentPageRequest& request,
                                      const std::function<void(Result<AgentPage>)>& done) {
  if (!kubelet || request.node != kubelet->node_name()) {
    return done(Error(ErrorCode::kServiceUnavailable, cat("no node agent answers for ", request.node)));
  }
  if (request.path == "/healthz") return done(AgentPage{"text/plain", "ok"});
  if (request.path == "/metrics")
    return done(AgentPage{metrics_content_type(request.format), metrics.text(request.format)});
  if (request.path == "/pods") return done(AgentPage{"application/json", control::to_json(pods_of(request.node))});
  if (request.path != "/metrics/resource" && request.path != "/stats/summary") {
    return done(Error(ErrorCode::kNotFound,
                      "the node agent has /metrics, /metrics/resource, /stats/summary, /pods and /healthz"));
  }
  kubelet->usage([request, done](Result<control::NodeUsage> usage) {
    if (!usage) return done(usage.error());
    if (request.path == "/stats/summary") {
      return done(AgentPage{"application/json", control::to_json(control::stats_summary(request.node, *usage))});
    }
    done(AgentPage{metrics_content_type(request.format), control::resource_metrics_page(*usage, request.format)});
  });
}

Status Cluster::Parts::listen() {
  // The port of the last start is kept, so that kubeconfigs stay true, but not at the price of a cluster that
  // cannot start because another program took the port meanwhile: `minik start` says so and writes the kubeconfig.
  const uint16_t wanted = profile.api_port == 0 ? 6443 : profile.api_port;
  auto socket = listen_tcp("127.0.0.1", wanted);
  if (!socket) socket = listen_tcp("127.0.0.1", 0);
  if (!socket) return std::move(socket).error();
  profile.api_port = local_port(socket->get());
  MINIK_ASSIGN(ingress, Ingress::open(*io, *network, profile, pki.server));
  MINIK_TRY(profile.save());
  TlsMaterial material;
  material.certificate_pem = pki.server.certificate_pem;
  material.private_key_pem = pki.server.private_key_pem;
  material.client_ca_pem = pki.ca.certificate_pem;
  MINIK_ASSIGN(const auto tls, TlsServer::create(material));
  HttpServerOptions options;
  options.error_response = ApiFront::error_response;
  options.admit_body = [this](const HttpRequest& head) { return front->admit_body(head); };
  options.streams_body = [this](const HttpRequest& head) { return front->streams_body(head); };
  server = std::make_unique<HttpServer>(*io, std::move(options),
                                        [this](HttpRequest request, Responder responder) {
                                          front->handle(std::move(request), std::move(responder));
                                        });
  pending_listeners.push_back(std::move(*socket));
  MINIK_ASSIGN(const int inside,
               network->pods().listen_tcp(network->pods().gateway(), profile.api_port));
  pending_listeners.emplace_back(inside);
  server_tls = tls;
  return {};
}

Result<std::unique_ptr<Cluster>> Cluster::open(Profile profile) {
  std::unique_ptr<Cluster> cluster(new Cluster());
  auto& p = *cluster->parts_;
  p.profile = std::move(profile);
  MINIK_TRY(runtime::make_directories(p.profile.run(), 0700));
  for (const auto& path : {p.profile.pods(), p.profile.logs()})
    MINIK_TRY(runtime::make_directories(path, 0755));
  MINIK_ASSIGN(p.scheduler_config, kept_scheduler_config(p.profile));
  MINIK_ASSIGN(p.eviction_thresholds, kept_eviction_thresholds(p.profile));
  MINIK_TRY(p.open_keys());
  MINIK_TRY(p.open_audit_log());
  MINIK_TRY(p.open_images());
  MINIK_TRY(p.open_store());
  MINIK_ASSIGN(p.network, NodeNetwork::open(p.profile.run() + "/network"));
  p.workers = std::make_unique<WorkerPool>(
      p.executor, WorkerPoolOptions{.threads = kWorkers, .queue_max = 4096});
  MINIK_ASSIGN(
      p.containers,
      ContainerAdapter::open(p.executor, *p.workers, *p.images, p.network.get(),
                             {p.profile.run() + "/containers", p.profile.pods(), p.profile.logs(), p.profile.directory + "/seccomp"},
                             cat("minik/", p.profile.name)));
  p.io = std::make_unique<IoThreads>(kIoThreads);
  MINIK_ASSIGN(p.services, NodeServices::open(p.executor, *p.io, *p.network));
  MINIK_TRY(p.listen());
  p.assemble();
  return cluster;
}

void Cluster::run(const std::function<void()>& ready) {
  auto& p = *parts_;
  p.executor.post([&p, &ready] {
    // These name the kinds that they watch; the informers of all start together.
    p.services->start(p.controllers->informers());
    p.ingress->start(p.executor, *p.controller_client, p.controllers->informers(), p.metrics,
                     Rng(random_seed()));
    p.controllers->start();
    p.scheduler->start();
    p.kubelet->start();
    for (auto& listener : p.pending_listeners) p.server->serve(std::move(listener), p.server_tls);
    ready();
  });
  p.executor.run();
  // In the order of the arrows: nobody asks any more, nobody decides any more, then the disk.
  p.server->stop(milliseconds(200));
  p.server.reset();
  p.ingress->stop(milliseconds(200));
  p.ingress.reset();
  p.services.reset();
  p.kubelet.reset();
  p.scheduler.reset();
  p.controllers.reset();
  p.containers->close();
  p.workers.reset();
}

void Cluster::stop() {
  parts_->executor.stop();
}

void Cluster::shut_down() {
  parts_->executor.post([this] { parts_->kubelet->shut_down(kShutdownMost, [this] { stop(); }); });
}

}  // namespace minik
