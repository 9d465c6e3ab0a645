#include "runtime/network/pod_network.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>

#include "control/base/check.h"
#include "control/base/ipv4.h"
#include "control/base/text.h"
#include "runtime/network/netlink.h"
#include "runtime/network/network_namespace.h"

namespace minik::runtime {

namespace {

constexpr const char* kBridge = "minik0";
// Locally administered; alone in its namespace, so that all nodes can have the same.
constexpr const char* kBridgeHardwareAddress = "02:6d:69:6e:69:6b";

Status make_directory(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return error_from_errno(error.value(), cat("mkdir ", path));
  return {};
}

Status write_setting(const std::string& path, std::string_view text) {
  const int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return error_from_errno(errno, cat("open ", path));
  const bool ok = write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const int error = errno;
  close(fd);
  if (!ok) return error_from_errno(error, cat("write ", path));
  return {};
}

sockaddr_in socket_address(const std::string& address, int port) {
  sockaddr_in result{};
  result.sin_family = AF_INET;
  result.sin_port = htons(static_cast<uint16_t>(port));
  inet_pton(AF_INET, address.c_str(), &result.sin_addr);
  return result;
}

// The veth's name on the node: unique for an id, and within the 15 bytes that the kernel takes.
std::string link_name(const std::string& id) {
  return cat(
      "veth",
      to_hex(cat(static_cast<char>(fnv1a_32(id) >> 24), static_cast<char>(fnv1a_32(id) >> 16),
                 static_cast<char>(fnv1a_32(id) >> 8), static_cast<char>(fnv1a_32(id)))));
}

}  // namespace

PodNetwork::PodNetwork(PodNetworkConfig config)
    : config_(std::move(config)), node_namespace_(config_.state_directory + "/node") {}

PodNetwork::~PodNetwork() {
  if (node_fd_ >= 0) close(node_fd_);
}

Result<std::unique_ptr<PodNetwork>> PodNetwork::open(PodNetworkConfig config) {
  std::unique_ptr<PodNetwork> network(new PodNetwork(std::move(config)));
  for (const auto* folder : {"/pods", "/addresses"}) {
    MINIK_TRY(make_directory(network->config_.state_directory + folder));
  }
  auto made = network->set_up_node();
  if (!made.ok()) {
    return std::move(made).error().in(
        "pod network (does the kernel have network namespaces, bridge and veth?)");
  }
  network->node_fd_ = ::open(network->node_namespace_.c_str(), O_RDONLY | O_CLOEXEC);
  if (network->node_fd_ < 0) return error_from_errno(errno, cat("open ", network->node_namespace_));
  return network;
}

Status PodNetwork::set_up_node() {
  MINIK_TRY(create_network_namespace(node_namespace_));
  return run_in_network_namespace(node_namespace_, [this]() -> Status {
    MINIK_ASSIGN(const auto netlink, Netlink::open());
    MINIK_TRY(netlink->add_bridge(kBridge, kBridgeHardwareAddress));
    MINIK_TRY(netlink->add_address(kBridge, cat(config_.gateway, "/32")));
    MINIK_TRY(netlink->add_address(kBridge, cat(config_.dns_address, "/32")));
    MINIK_TRY(netlink->set_up(kBridge));
    // Each pod has a route of its own: a packet to one that has gone is refused at once, instead of
    // being lost until somebody's patience ends.
    MINIK_TRY(netlink->add_unreachable_route(pod_range()));
    // So that the node's own processes can name any destination: ServiceFilter takes them up from
    // there.
    MINIK_TRY(netlink->add_link_route("default", kBridge));
    // Pods are on one bridge and yet speak through the node: it must not tell them of the short
    // cut.
    for (const auto* device : {"all", kBridge}) {
      MINIK_TRY(write_setting(cat("/proc/sys/net/ipv4/conf/", device, "/send_redirects"), "0"));
    }
    // Where br_netfilter is loaded, frames between two pods of the bridge would be translated on
    // the way, where they cannot return to the port they came from. They all pass the IP layer
    // anyway.
    constexpr const char* kBridgeFilter = "/proc/sys/net/bridge/bridge-nf-call-iptables";
    if (access(kBridgeFilter, F_OK) == 0) MINIK_TRY(write_setting(kBridgeFilter, "0"));
    return write_setting("/proc/sys/net/ipv4/ip_forward", "1");
  });
}

std::string PodNetwork::pod_range() const {
  uint32_t address = 0;
  parse_ipv4(config_.gateway, address);
  return cat(format_ipv4(address & ~uint32_t{0} << (32 - config_.prefix)), "/", config_.prefix);
}

std::string PodNetwork::pod_namespace(const std::string& id) const {
  return cat(config_.state_directory, "/pods/", id);
}

std::string PodNetwork::address_of(const std::string& id) const {
  std::ifstream file(cat(config_.state_directory, "/pods/", id, ".address"));
  std::string address;
  std::getline(file, address);
  return address;
}

Result<std::string> PodNetwork::allocate(const std::string& id) {
  if (auto known = address_of(id); !known.empty()) return known;
  const std::lock_guard lock(mutex_);
  uint32_t gateway = 0;
  parse_ipv4(config_.gateway, gateway);
  const uint32_t size = 1U << (32 - config_.prefix);
  for (uint32_t tries = 0; tries < size; ++tries) {
    // Around the range, so that an address rests before it is used again.
    next_ = next_ % (size - 16) + 1;
    const std::string address = format_ipv4(gateway + 8 + next_);
    const std::string file = cat(config_.state_directory, "/addresses/", address);
    const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno == EEXIST) continue;
    if (fd < 0) return error_from_errno(errno, cat("reserve ", address));
    (void)!write(fd, id.data(), id.size());
    close(fd);
    std::ofstream(cat(pod_namespace(id), ".address")) << address << "\n";
    return address;
  }
  return Error(ErrorCode::kServiceUnavailable, "every address of the pod range is in use");
}

void PodNetwork::release(const std::string& id) {
  const std::string address = address_of(id);
  if (address.empty()) return;
  unlink(cat(pod_namespace(id), ".address").c_str());
  unlink(cat(config_.state_directory, "/addresses/", address).c_str());
}

Result<PodEndpoint> PodNetwork::attach(const std::string& id) {
  const std::string path = pod_namespace(id);
  MINIK_ASSIGN(const auto address, allocate(id));
  const auto connect = [&]() -> Status {
    MINIK_TRY(create_network_namespace(path));
    const std::string name = link_name(id);
    const auto linked = run_in_network_namespace(node_namespace_, [&]() -> Status {
      MINIK_ASSIGN(const auto netlink, Netlink::open());
      if (netlink->has_link(name)) return {};
      const int pod = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
      auto added = netlink->add_veth(name, "eth0", pod);
      close(pod);
      MINIK_TRY(added);
      MINIK_TRY(netlink->set_master(name, kBridge));
      MINIK_TRY(netlink->add_link_route(cat(address, "/32"), kBridge));
      return netlink->set_up(name);
    });
    MINIK_TRY(linked);
    return run_in_network_namespace(path, [&]() -> Status {
      MINIK_ASSIGN(const auto netlink, Netlink::open());
      MINIK_TRY(netlink->add_address("eth0", cat(address, "/32")));
      MINIK_TRY(netlink->set_up("eth0"));
      MINIK_TRY(netlink->add_link_route(cat(config_.gateway, "/32"), "eth0"));
      return netlink->add_route("default", config_.gateway);
    });
  };
  if (auto connected = connect(); !connected.ok()) {
    (void)detach(id).ok();
    return std::move(connected).error().in("pod network");
  }
  return PodEndpoint{path, address};
}

Status PodNetwork::detach(const std::string& id) {
  const auto unlink_pod = [&]() -> Status {
    MINIK_ASSIGN(const auto netlink, Netlink::open());
    if (const auto address = address_of(id); !address.empty()) {
      MINIK_TRY(netlink->remove_link_route(cat(address, "/32"), kBridge));
    }
    return netlink->remove_link(link_name(id));
  };
  MINIK_TRY(run_in_network_namespace(node_namespace_, unlink_pod));
  MINIK_TRY(remove_network_namespace(pod_namespace(id)));
  release(id);
  return {};
}

Result<int> PodNetwork::open_socket(int type) const {
  const int home = ::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
  if (home < 0) return error_from_errno(errno, "open the network namespace");
  int fd = -1;
  int error = 0;
  if (setns(node_fd_, CLONE_NEWNET) != 0) {
    error = errno;
  } else {
    fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    error = errno;
    // A thread that stayed behind would open its next socket in the wrong network.
    CHECK(setns(home, CLONE_NEWNET) == 0) << "back from " << node_namespace_ << ": errno " << errno;
  }
  close(home);
  if (fd < 0) return error_from_errno(error, "socket in the node's network");
  return fd;
}

Result<int> PodNetwork::connect_tcp(const std::string& address, int port, int timeout_ms, int stop) const {
  MINIK_ASSIGN(const int fd, open_socket(SOCK_STREAM));
  const auto where = cat("dial tcp ", address, ":", port, ": ");
  const auto fail = [&](std::string_view why) -> Result<int> {
    close(fd);
    return Error(ErrorCode::kServiceUnavailable, cat(where, why));
  };
  const sockaddr_in to = socket_address(address, port);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0 && errno != EINPROGRESS) {
    return fail(errno == ECONNREFUSED ? "connect: connection refused" : "connect failed");
  }
  pollfd waited[] = {{fd, POLLOUT, 0}, {stop, POLLIN, 0}};  // poll() passes over a descriptor of -1
  if (poll(waited, 2, timeout_ms) <= 0 || waited[0].revents == 0) return fail("i/o timeout");
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error == ECONNREFUSED) return fail("connect: connection refused");
  if (error == EHOSTUNREACH) return fail("connect: no route to host");
  if (error != 0) return fail("connect failed");
  fcntl(fd, F_SETFL, 0);
  return fd;
}

Result<int> PodNetwork::listen_tcp(const std::string& address, int port) const {
  MINIK_ASSIGN(const int fd, open_socket(SOCK_STREAM));
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const sockaddr_in at = socket_address(address, port);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0 && listen(fd, 1024) == 0)
    return fd;
  const int error = errno;
  close(fd);
  return error_from_errno(error, cat("listen on ", address, ":", port));
}

Result<int> PodNetwork::bind_udp(const std::string& address, int port) const {
  MINIK_ASSIGN(const int fd, open_socket(SOCK_DGRAM));
  const sockaddr_in at = socket_address(address, port);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0) return fd;
  const int error = errno;
  close(fd);
  return error_from_errno(error, cat("bind ", address, ":", port));
}

}  // namespace minik::runtime
