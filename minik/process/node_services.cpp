#include "minik/process/node_services.h"

#include <sys/socket.h>

#include "control/base/check.h"
#include "control/base/ipv4.h"
#include "control/base/log.h"
#include "control/base/text.h"
#include "minik/net/listen.h"

namespace minik {

namespace {

// In the node's namespace, where nobody else listens; pods see it only as the destination they
// asked for.
constexpr uint16_t kEgressPort = 15001;
constexpr uint16_t kDnsPort = 53;

uint32_t ipv4(const std::string& text) {
  uint32_t address = 0;
  CHECK(parse_ipv4(text, address)) << text;
  return address;
}

Result<UniqueFd> host_socket() {
  UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return error_from_errno(errno, "socket");
  return fd;
}

}  // namespace

NodeServices::NodeServices(Executor& executor, IoThreads& io, NodeNetwork& network)
    : executor_(executor),
      io_(io),
      network_(network),
      workers_(executor, {.threads = 1}),
      relay_(io) {}

NodeServices::~NodeServices() = default;

Result<std::unique_ptr<NodeServices>> NodeServices::open(Executor& executor, IoThreads& io,
                                                         NodeNetwork& network) {
  std::unique_ptr<NodeServices> services(new NodeServices(executor, io, network));
  MINIK_TRY(services->open_filter());
  MINIK_TRY(services->open_egress());
  MINIK_TRY(services->open_dns());
  return services;
}

Status NodeServices::open_filter() {
  const auto& pods = network_.pods();
  runtime::ServiceFilterConfig config;
  config.pods = {ipv4(pods.gateway()), pods.prefix()};
  config.services = {ipv4("10.96.0.0"), 12};
  config.dns_address = ipv4(pods.dns_address());
  config.egress_port = kEgressPort;
  MINIK_ASSIGN(auto filter, runtime::ServiceFilter::open(pods.node_namespace(), config));
  carrier_ = std::make_unique<ServiceCarrierOnWorkers>(executor_, workers_, std::move(filter));
  return {};
}

Status NodeServices::open_egress() {
  MINIK_ASSIGN(const int egress, network_.pods().listen_tcp("0.0.0.0", kEgressPort));
  relay_.serve(UniqueFd(egress), {.destination = original_destination, .open = host_socket});
  return {};
}

Status NodeServices::open_dns() {
  const auto& pods = network_.pods();
  MINIK_ASSIGN(const int udp, pods.bind_udp(pods.dns_address(), kDnsPort));
  UniqueFd udp_socket(udp);
  MINIK_ASSIGN(const int tcp, pods.listen_tcp(pods.dns_address(), kDnsPort));
  DnsServerOptions options;
  options.zone.server_address = ipv4(pods.dns_address());
  options.upstream = [] { return name_servers_of("/etc/resolv.conf"); };
  dns_ = std::make_unique<DnsServer>(io_, std::move(options), std::move(udp_socket), UniqueFd(tcp));
  return {};
}

void NodeServices::start(control::InformerSet& informers) {
  proxy_ = std::make_unique<control::ServiceProxy>(executor_, informers, *carrier_);
  proxy_->on_change([this] { follow_node_ports(); });
  proxy_->start();
  dns_publisher_ = std::make_unique<control::DnsPublisher>(
      executor_, informers, [this](control::DnsChange change) { dns_->apply(std::move(change)); });
  dns_publisher_->start();
}

void NodeServices::follow_node_ports() {
  std::set<uint16_t> wanted;
  for (const auto& [name, rule] : proxy_->rules()) {
    if (rule.node_port != 0 && rule.protocol == control::IpProtocol::kTcp)
      wanted.insert(rule.node_port);
  }
  std::erase_if(node_ports_, [&](const auto& open) {
    if (wanted.contains(open.first)) return false;
    relay_.end(open.second);
    return true;
  });
  std::erase_if(taken_by_others_, [&](uint16_t port) { return !wanted.contains(port); });
  for (const uint16_t port : wanted) {
    if (!node_ports_.contains(port) && !taken_by_others_.contains(port)) open_node_port(port);
  }
}

void NodeServices::open_node_port(uint16_t port) {
  auto listener = listen_tcp("127.0.0.1", port);
  if (!listener) {
    taken_by_others_.insert(port);
    MINIK_LOG(
        kWarning, "proxy",
        cat("node port ", port, " is not reachable at 127.0.0.1: ", listener.error().message));
    return;
  }
  const RelayAddress node{ipv4(network_.pods().gateway()), port};
  node_ports_[port] = relay_.serve(
      std::move(*listener), {.destination = [node](int) { return node; },
                             .open = [this]() -> Result<UniqueFd> {
                               MINIK_ASSIGN(const int fd, network_.pods().open_socket(SOCK_STREAM));
                               return UniqueFd(fd);
                             }});
}

}  // namespace minik
