// NodeStreams: exec, attach, port-forward and logs of the pods that run on this machine, over the
// container engine. Locating a container asks its node agent, on the control thread; what is
// returned runs on the connection's loop and on a session's thread, which must be over before the rest goes.
#pragma once

#include <functional>
#include <string>

#include "control/kubelet/kubelet.h"
#include "minik/net/pod_streams.h"
#include "minik/process/container_adapter.h"
#include "minik/process/pod_network.h"
#include "minik/process/session_threads.h"

namespace minik {

class NodeStreams : public PodStreams {
 public:
  // Null for a node that is not of this process.
  using FindKubelet = std::function<const control::Kubelet*(const std::string& node)>;

  NodeStreams(SessionThreads& threads, ContainerAdapter& containers, PodNetworkPort* network, FindKubelet kubelet);

  Result<ExecStart> exec(const PodExecRequest& request) override;
  Result<ExecStart> attach(const PodExecRequest& request) override;
  Result<ConnectPort> port_forward(const control::ConnectTarget& target) override;
  Result<LogStart> log(const PodLogRequest& request) override;

 private:
  Result<control::ContainerLocation> locate(const control::ConnectTarget& target,
                                            const std::string& container, bool previous) const;

  SessionThreads& threads_;
  ContainerAdapter& containers_;
  PodNetworkPort* network_;
  FindKubelet kubelet_;
};

}  // namespace minik
