// ApiConnection: one request over TLS with the administrator's certificate of a profile, and its answer as it comes.
//
// HTTP/1.0, so that the answer is what comes until the end and a watch is lines until somebody ends it. Blocking, for
// the command line. Debian's cpp-httplib has no static archive, and this is all that the commands need.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "control/base/result.h"
#include "control/object/value.h"
#include "minik/process/profile.h"

namespace minik::cli {

struct ApiCall {
  std::string method = "GET", path;
  std::string content_type = "application/json", body;
};

class ApiConnection {
 public:
  static Result<ApiConnection> open(const Profile& profile);
  ~ApiConnection();
  ApiConnection(ApiConnection&&) noexcept;
  ApiConnection& operator=(ApiConnection&&) = delete;

  // The document, or the error that its Status says.
  Result<control::Value> call(const ApiCall& call);
  // Each document of a watch, until the server ends it or another thread calls end().
  Status watch(const std::string& path, const std::function<void(const control::Value&)>& on_event);
  void end();

 private:
  struct State;
  explicit ApiConnection(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace minik::cli
