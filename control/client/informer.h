// Informer: list and watch of one kind (whole, or by a selector) into an ObjectCache, and word of each
// change to whoever subscribed. Kubernetes' reflector and shared informer in one.
//
// After start() it lists, fills the cache, tells handlers, then watches from the list's revision. A
// watch that ends is resumed from the last revision; Expired lists again and tells the differences as
// events; errors back off from 800 ms doubling to 30 s with the executor's randomness. Level-based: a
// handler may miss intermediate versions, never the last one. Nothing here is persisted.
//
// Owned by an InformerSet; control thread only. Handlers are called after the cache has changed, in
// the order in which they subscribed, and must not destroy the informer.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "control/base/executor.h"
#include "control/base/rng.h"
#include "control/client/client.h"
#include "control/client/object_cache.h"

namespace minik::control {

// `before` is absent for a new object, `after` for one that is gone.
using ChangeHandler = std::function<void(const Value& before, const Value& after)>;

struct InformerOptions {
  std::string namespace_;
  std::string label_selector;
  std::string field_selector;
  // Bookmarks keep a watch of many objects from starting over after a gap; of one object there is little to list.
  bool bookmarks = true;
};

class Informer {
 public:
  Informer(Executor& executor, Client& client, Rng rng, KindId kind, InformerOptions options = {});
  ~Informer();
  Informer(const Informer&) = delete;
  Informer& operator=(const Informer&) = delete;

  void subscribe(ChangeHandler handler);
  void start();
  // Of a kind that is not served any more: what was known is gone, and told so. start() begins anew.
  void stop();
  bool started() const { return started_; }
  // The first list has been applied.
  bool synced() const { return synced_; }
  // Called once, as soon as synced() is true; at the latest in a later turn.
  void when_synced(std::function<void()> done);

  // The newest revision that the cache is known to show.
  Revision seen() const { return seen_; }

  ObjectCache& cache() { return cache_; }
  const ObjectCache& cache() const { return cache_; }

 private:
  void list();
  void on_list(Result<ApiResponse> response);
  void watch();
  void on_event(const WatchEvent& event);
  void on_watch_end(const Status& status);
  void retry(bool relist);
  void replace_all(const Value& list);
  void note_revision(const Value& object);
  void tell(const Value& before, const Value& after);

  Executor& executor_;
  Client& client_;
  Rng rng_;
  InformerOptions options_;
  ObjectCache cache_;
  std::vector<ChangeHandler> handlers_;
  std::vector<std::function<void()>> waiting_for_sync_;
  std::unique_ptr<WatchHandle> watch_;
  std::string revision_;
  Revision seen_;
  bool synced_ = false, started_ = false;
  int failures_ = 0;
  ScopedTimer retry_timer_;
  std::shared_ptr<bool> alive_;
};

// The informers that one component's parts share: one per kind.
class InformerSet {
 public:
  InformerSet(Executor& executor, Client& client, Rng rng);

  // The informer of a kind without selectors, made on first use.
  Informer& of(KindId kind);
  const Informer* find(KindId kind) const;
  void start();
  bool synced() const;
  void when_synced(std::function<void()> done);

 private:
  Executor& executor_;
  Client& client_;
  Rng rng_;
  std::map<KindId, std::unique_ptr<Informer>> informers_;
};

}  // namespace minik::control
