// A real API server on a control thread of its own behind a real HTTPS listener, with pods whose
// containers are shell processes of the test.
#pragma once

#include <memory>
#include <string>
#include <thread>

#include "control/api/api_server.h"
#include "control/base/metrics.h"
#include "control/store/memory_log.h"
#include "control/store/store.h"
#include "minik/net/api_front.h"
#include "minik/net/extension_servers.h"
#include "tests/net/http_client.h"
#include "tests/net/shell.h"

namespace minik {

class ShellStreams final : public PodStreams {
 public:
  Result<ExecStart> exec(const PodExecRequest& request) override;
  Result<ExecStart> attach(const PodExecRequest& request) override;
  Result<ConnectPort> port_forward(const control::ConnectTarget& target) override;
  Result<LogStart> log(const PodLogRequest& request) override;

  // What `log` writes before it ends or, when followed, waits.
  std::string log_text = "one\ntwo\n";

 private:
  Shell shell_;
};

class ApiWorld {
 public:
  struct Limits {
    WatchLimits watch = {};
    FairQueueLimits queue = {};
  };
  explicit ApiWorld(HttpServerOptions options = {}) : ApiWorld(std::move(options), Limits()) {}
  ApiWorld(HttpServerOptions options, Limits limits);
  ~ApiWorld();

  uint16_t port() const { return server_->tls_port(); }
  // On the control thread, and waits for it.
  void control(const Task& task) { run_on(control_loop_, task); }
  control::ApiServer* api() { return api_.get(); }
  void lose_api() {
    control([this] { shown_ = nullptr; });
  }
  ShellStreams& streams() { return streams_; }
  // Straight into the store, for what the API refuses: endpoints of this very machine.
  void put(control::KindId kind, const control::Value& object);

 private:
  EventLoop control_loop_;
  IoThreads outgoing_{1};  // to other API servers; ends before the loop that it tells what they say
  MetricRegistry metrics_;
  control::MemoryLog log_;
  std::unique_ptr<control::Store> store_;
  std::unique_ptr<HttpsExtensionServers> others_;
  std::unique_ptr<control::ApiServer> api_;
  control::ApiServer* shown_ = nullptr;
  ShellStreams streams_;
  std::unique_ptr<ApiPages> pages_;
  std::unique_ptr<ApiFront> front_;
  std::thread thread_;
  std::unique_ptr<TestServer> server_;
};

}  // namespace minik
