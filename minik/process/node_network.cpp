#include "minik/process/node_network.h"

#include "minik/net/blocking_stream.h"

namespace minik {

Result<std::unique_ptr<NodeNetwork>> NodeNetwork::open(const std::string& state_directory) {
  auto network = std::make_unique<NodeNetwork>();
  runtime::PodNetworkConfig config;
  config.state_directory = state_directory;
  MINIK_ASSIGN(network->network_, runtime::PodNetwork::open(std::move(config)));
  return network;
}

Result<PodAttachment> NodeNetwork::attach(const std::string& sandbox_id) {
  MINIK_ASSIGN(auto endpoint, network_->attach(sandbox_id));
  return PodAttachment{std::move(endpoint.namespace_path), std::move(endpoint.address)};
}

Status NodeNetwork::detach(const std::string& sandbox_id) {
  return network_->detach(sandbox_id);
}

std::string NodeNetwork::address_of(const std::string& sandbox_id) {
  return network_->address_of(sandbox_id);
}

Result<UniqueFd> NodeNetwork::connect(const std::string& address, int port, const Deadline& deadline) {
  MINIK_ASSIGN(const int fd, network_->connect_tcp(address, port, deadline.left_ms(), deadline.stop()));
  return UniqueFd(fd);
}

}  // namespace minik
