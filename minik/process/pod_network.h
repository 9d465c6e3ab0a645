// PodNetworkPort: what the node agent's runtime asks of the pod network. runtime/network behind an
// adapter is the real one; without one, pods share the node's network.
#pragma once

#include <string>
#include <vector>

#include "control/base/result.h"
#include "minik/net/unique_fd.h"

namespace minik {

class Deadline;

struct PodAttachment {
  std::string namespace_path;
  std::string address;
};

class PodNetworkPort {
 public:
  virtual ~PodNetworkPort() = default;
  // Blocking, thread-safe, idempotent.
  virtual Result<PodAttachment> attach(const std::string& sandbox_id) = 0;
  virtual Status detach(const std::string& sandbox_id) = 0;
  virtual std::string address_of(const std::string& sandbox_id) = 0;
  // A connected TCP socket into the cluster's network.
  virtual Result<UniqueFd> connect(const std::string& address, int port, const Deadline& deadline) = 0;
};

}  // namespace minik
