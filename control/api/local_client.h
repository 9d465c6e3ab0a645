// LocalClient: the Client of a component that lives in the process of its API server. No bytes are made:
// requests and documents are handed over as they are, in later turns of the executor as the contract
// wants it. Watches deliver what one turn released in one turn.
#pragma once

#include <memory>
#include <string>

#include "control/api/api_server.h"
#include "control/client/client.h"

namespace minik::control {

class LocalClient : public Client {
 public:
  // The server must outlive the client.
  LocalClient(Executor& executor, ApiServer& server, UserInfo user);
  ~LocalClient() override;

  void send(ApiRequest request, ResponseCallback done) override;
  std::unique_ptr<WatchHandle> watch(ApiRequest request, WatchCallbacks callbacks) override;

 private:
  Executor& executor_;
  ApiServer& server_;
  UserInfo user_;
  std::shared_ptr<bool> alive_;
};

}  // namespace minik::control
