#include "control/object/subtree_pool.h"

#include <gtest/gtest.h>

#include "control/base/rng.h"
#include "control/base/text.h"
#include "control/object/json.h"

namespace minik::control {
namespace {

Value pod(int number, std::string_view phase = "Running") {
  return *parse_json(
      cat(R"({"metadata":{"name":"web-with-a-long-name-)", number,
          R"(","labels":{"example.com/application":"storefront"}},"spec":{"containers":[{"name":)",
          R"("main-container","image":"registry.example.com/storefront:1"}]},"status":{"phase":")",
          phase, R"("}})"));
}

TEST(SubtreePool, KeepsEqualPartsOfDifferentDocumentsOnce) {
  SubtreePool pool;
  const Value a = pool.share(pod(1)), b = pool.share(pod(2));
  EXPECT_EQ(a, pod(1));
  EXPECT_EQ(b, pod(2));
  EXPECT_TRUE(a.get("spec").same_node(b.get("spec")));
  EXPECT_TRUE(a.get("metadata").get("labels").same_node(b.get("metadata").get("labels")));
}

TEST(SubtreePool, SharesWhatANewVersionBringsAnew) {
  SubtreePool pool;
  const Value first = pool.share(pod(1));
  const Value second = pool.share(pod(1, "a phase of many words"), first);
  EXPECT_EQ(second, pod(1, "a phase of many words"));
  EXPECT_TRUE(first.get("spec").same_node(second.get("spec")));
}

TEST(SubtreePool, ForgetsInsteadOfGrowingAndChangesNothing) {
  SubtreePool pool(2);
  Rng rng(1);
  Value previous;
  for (int i = 0; i < 500; ++i) {
    const Value document = pod(static_cast<int>(rng.below(50)), cat("phase number ", rng.below(5)));
    const Value shared = pool.share(document, previous);
    ASSERT_EQ(to_json(shared), to_json(document));
    previous = shared;
  }
}

}  // namespace
}  // namespace minik::control
