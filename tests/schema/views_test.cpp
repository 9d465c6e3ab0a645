#include <gtest/gtest.h>

#include <algorithm>
#include <type_traits>

#include "control/object/json.h"
#include "control/schema/views/admissionregistration.h"
#include "control/schema/views/apiextensions.h"
#include "control/schema/views/apps.h"
#include "control/schema/views/autoscaling_v1.h"
#include "control/schema/views/autoscaling_v2.h"
#include "control/schema/views/batch.h"
#include "control/schema/views/core.h"
#include "control/schema/views/discovery.h"
#include "control/schema/views/events.h"
#include "control/schema/views/flowcontrol.h"
#include "control/schema/views/networking.h"
#include "control/schema/views/rbac.h"
#include "control/schema/views/storage.h"

namespace minik::control {
namespace {

static_assert(sizeof(PodView) == 8 && std::is_trivially_copyable_v<PodView>);
static_assert(!std::is_constructible_v<PodView, Value>);

TEST(Views, ReadThroughTheSchemasNames) {
  const Value object = *parse_json(
      R"({"metadata":{"name":"web"},"spec":{"replicas":3,"template":{"spec":{"containers":[{"name":"a"}]}}}})");
  const DeploymentView deployment(object);
  EXPECT_EQ(deployment.metadata().name(), "web");
  EXPECT_EQ(deployment.spec().replicas(), 3);
  EXPECT_EQ(deployment.spec().progressDeadlineSeconds(), 600);
  EXPECT_EQ(deployment.spec().template_().spec().containers()[0].name(), "a");
  EXPECT_FALSE(deployment.status());
  EXPECT_TRUE(deployment.has_metadata());
  EXPECT_FALSE(deployment.spec().has_paused());
}

TEST(Views, OfNothingReadAsDefaults) {
  const PodView pod;
  EXPECT_EQ(pod.metadata().namespace_(), "");
  EXPECT_EQ(pod.spec().restartPolicy(), "Always");
  EXPECT_EQ(pod.spec().terminationGracePeriodSeconds(), 30);
  EXPECT_TRUE(pod.spec().containers().empty());
}

TEST(Views, TellFieldsFromWordsThatDifferByCase) {
  const Value slice = *parse_json(
      R"({"endpoints":[{"addresses":["10.0.0.1"],"conditions":{"ready":true}}],"ports":[{"port":80}]})");
  const EndpointSliceView view(slice);
  EXPECT_TRUE(view.endpoints()[0].conditions().ready());
  EXPECT_EQ(view.ports()[0].port(), 80);
  EXPECT_TRUE(view.endpoints()[0].addresses().contains("10.0.0.1"));
}

TEST(Views, ListsAreRanges) {
  const Value pod =
      *parse_json(R"({"spec":{"containers":[{"name":"a"},{"name":"b","args":["x","y"]}]}})");
  const auto containers = PodView(pod).spec().containers();
  EXPECT_EQ(std::ranges::distance(containers), 2);
  const auto found =
      std::ranges::find_if(containers, [](ContainerView c) { return c.name() == "b"; });
  ASSERT_NE(found, containers.end());
  EXPECT_EQ((*found).args()[1], "y");
}

TEST(Views, MapsOfObjectsIterateInKeyOrder) {
  const Value schema =
      *parse_json(R"({"properties":{"b":{"type":"string"},"a":{"type":"object"}}})");
  std::string seen;
  for (const auto [name, property] : JSONSchemaPropsView(schema).properties()) {
    seen.append(name).append("=").append(property.type()).append(" ");
  }
  EXPECT_EQ(seen, "a=object b=string ");
}

}  // namespace
}  // namespace minik::control
