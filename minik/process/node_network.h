// NodeNetwork: the pod network of this machine's node behind PodNetworkPort.
#pragma once

#include <memory>
#include <string>

#include "minik/process/pod_network.h"
#include "runtime/network/pod_network.h"

namespace minik {

class NodeNetwork : public PodNetworkPort {
 public:
  static Result<std::unique_ptr<NodeNetwork>> open(const std::string& state_directory);

  Result<PodAttachment> attach(const std::string& sandbox_id) override;
  Status detach(const std::string& sandbox_id) override;
  std::string address_of(const std::string& sandbox_id) override;
  Result<UniqueFd> connect(const std::string& address, int port, const Deadline& deadline) override;

  runtime::PodNetwork& pods() { return *network_; }

 private:
  std::unique_ptr<runtime::PodNetwork> network_;
};

}  // namespace minik
