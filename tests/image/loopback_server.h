// A server on a loopback port that answers each request with what a function says: for the cases
// that a real registry does not show (tokens, redirects, broken lines).
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "runtime/image/disk.h"

namespace minik::runtime {

struct SeenRequest {
  std::string method, target;
  std::map<std::string, std::string> headers;  // lower case
};

class LoopbackServer {
 public:
  // The raw bytes of the answer; the connection closes behind them.
  using Handler = std::function<std::string(const SeenRequest&)>;
  explicit LoopbackServer(Handler handler);
  ~LoopbackServer();

  std::string authority() const;  // "127.0.0.1:port"
  std::vector<SeenRequest> seen() const;

  static std::string answer(int status, const std::string& body, const std::string& headers = "");

 private:
  void serve();

  Handler handler_;
  UniqueFd listener_;
  int port_ = 0;
  std::atomic<bool> stopping_{false};
  mutable std::mutex mutex_;
  std::vector<SeenRequest> seen_;
  std::thread thread_;
};

}  // namespace minik::runtime
