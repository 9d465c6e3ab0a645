// API Priority and Fairness: which FlowSchema a request falls under, and with it its priority level and its flow.
//
//   request --the first schema by (matchingPrecedence, name) that has a rule for it--> level, flow
//
// FlowSchemas and PriorityLevelConfigurations are ordinary objects; a change of one counts from the next request
// on. A cluster begins with Kubernetes' own set. Who waits for how long is decided where requests wait
// (minik/net/fair_queue.h).
//
// Control thread only; the store outlives it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/access/attributes.h"
#include "control/client/request.h"
#include "control/object/object_ref.h"
#include "control/schema/schema.h"
#include "control/store/store.h"

namespace minik::control {

struct PriorityLevel {
  std::string name, uid;
  bool exempt = false;
  int64_t shares = 0;         // nominalConcurrencyShares: its part of all seats
  int64_t flow_queue_max = 0;  // requests of one flow that may wait; 0: none waits
  int64_t lendable_percent = 0;  // of its seats: what other levels may use while it does not
  std::optional<int64_t> borrowing_limit_percent = 0;  // of its seats: how many more it may use; none: what there is
};

struct FlowClass {
  std::shared_ptr<const PriorityLevel> level;
  std::string schema, schema_uid;
  std::string flow;  // requests of one flow stand in line behind one another
};

class FlowClassifier {
 public:
  FlowClassifier(Store& store, const Schema& schema);
  ~FlowClassifier();
  FlowClassifier(const FlowClassifier&) = delete;
  FlowClassifier& operator=(const FlowClassifier&) = delete;

  FlowClass classify(const ApiRequest& request);
  // The same of what another server answers, by the shape of its path.
  FlowClass classify(const UserInfo& user, const Attributes& asked);
  // Of all limited levels together.
  int64_t total_shares();

 private:
  struct Entry;
  void load();

  Store& store_;
  const Schema& schema_;
  std::vector<StoreWatchId> watches_;
  std::vector<Entry> schemas_;  // in the order in which they are tried
  std::shared_ptr<const PriorityLevel> last_resort_;
  int64_t total_shares_ = 0;
  bool loaded_ = false;
};

// What a cluster begins with: (kind, object).
std::vector<std::pair<KindId, Value>> default_flow_control();

}  // namespace minik::control
