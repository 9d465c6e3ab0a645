#include "minik/net/protobuf_body.h"

#include <gtest/gtest.h>

#include "control/base/text.h"
#include "control/object/json.h"

namespace minik {
namespace {

std::string varint(uint64_t value) {
  std::string out;
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  return out += static_cast<char>(value);
}
std::string number(uint32_t field, uint64_t value) {
  return varint(field << 3) + varint(value);
}
std::string bytes(uint32_t field, std::string_view value) {
  return varint(field << 3 | 2) + varint(value.size()) + std::string(value);
}
std::string pair(std::string_view key, std::string_view value) {
  return bytes(1, key) + bytes(2, value);
}
std::string object(std::string_view api_version, std::string_view kind, std::string_view raw) {
  return std::string("k8s\0", 4) + bytes(1, bytes(1, api_version) + bytes(2, kind)) +
         bytes(2, raw) + bytes(3, "") + bytes(4, "");
}
// The document as JSON, or the error's message.
std::string decoded(const std::string& body) {
  const auto value = decode_protobuf(body);
  return value ? control::to_json(*value) : value.error().message;
}

// What kubectl sends for `create configmap one --from-literal=a=1`, zeros and all.
const std::string kMetadata = bytes(1, "one") + bytes(2, "") + bytes(3, "") + bytes(4, "") +
                              bytes(5, "") + bytes(6, "") + number(7, 0) + bytes(8, "");

TEST(ProtobufBody, ReadsWhatKubectlSendsAndLeavesTheZerosOut) {
  EXPECT_EQ(decoded(object(
                "v1", "ConfigMap",
                bytes(1, kMetadata) + bytes(2, pair("a", "1")) + bytes(3, pair("b", "\x01\x02")))),
            R"({"apiVersion":"v1","binaryData":{"b":"AQI="},"data":{"a":"1"},)"
            R"("kind":"ConfigMap","metadata":{"name":"one"}})");
}

TEST(ProtobufBody, KeepsAZeroThatSomebodyChose) {
  // replicas is a pointer in Kubernetes' types: 0 is not "not said". paused is not.
  EXPECT_EQ(decoded(object("apps/v1", "Deployment", bytes(2, number(1, 0) + number(7, 0)))),
            R"({"apiVersion":"apps/v1","kind":"Deployment","spec":{"replicas":0}})");
}

TEST(ProtobufBody, KnowsTimesQuantitiesAndNumbersThatMayBeTexts) {
  const std::string container =
      bytes(1, "main") + bytes(8, bytes(1, pair("cpu", bytes(1, "100m"))));
  const std::string pod = bytes(1, bytes(8, number(1, 1'767'225'600))) +
                          bytes(2, bytes(2, container) + number(4, static_cast<uint64_t>(-1)));
  EXPECT_EQ(decoded(object("v1", "Pod", pod)),
            R"({"apiVersion":"v1","kind":"Pod","metadata":{"creationTimestamp":)"
            R"("2026-01-01T00:00:00Z"},"spec":{"containers":[{"name":"main","resources":)"
            R"({"limits":{"cpu":"100m"}}}],"terminationGracePeriodSeconds":-1}})");
  const auto port = [](const std::string& target) {
    return decoded(object("v1", "Service", bytes(2, bytes(1, number(3, 80) + bytes(4, target)))));
  };
  EXPECT_EQ(
      port(number(1, 0) + number(2, 8080) + bytes(3, "")),
      R"({"apiVersion":"v1","kind":"Service","spec":{"ports":[{"port":80,"targetPort":8080}]}})");
  EXPECT_EQ(
      port(number(1, 1) + number(2, 0) + bytes(3, "http")),
      R"({"apiVersion":"v1","kind":"Service","spec":{"ports":[{"port":80,"targetPort":"http"}]}})");
}

TEST(ProtobufBody, PutsInlineFieldsWhereJsonHasThem) {
  // A volume's source, and in it the emptyDir, which is empty and yet says something.
  const std::string volume = bytes(1, "tmp") + bytes(2, bytes(2, ""));
  EXPECT_EQ(
      decoded(object("v1", "Pod", bytes(2, bytes(1, volume)))),
      R"({"apiVersion":"v1","kind":"Pod","spec":{"volumes":[{"emptyDir":{},"name":"tmp"}]}})");
}

TEST(ProtobufBody, SkipsFieldsThatItDoesNotKnow) {
  EXPECT_EQ(decoded(object("v1", "ConfigMap", bytes(99, "new") + bytes(2, pair("a", "1")))),
            R"({"apiVersion":"v1","data":{"a":"1"},"kind":"ConfigMap"})");
}

TEST(ProtobufBody, RefusesWhatIsCutOffForeignOrUnknown) {
  const std::string whole = object("v1", "ConfigMap", bytes(2, pair("a", "1")));
  EXPECT_FALSE(decode_protobuf(""));
  EXPECT_FALSE(decode_protobuf("{}"));
  EXPECT_FALSE(decode_protobuf(whole.substr(0, whole.size() - 6)));
  EXPECT_FALSE(decode_protobuf(object("v1", "ConfigMap", bytes(2, "\xff"))));
  EXPECT_FALSE(decode_protobuf(object("v1", "ConfigMap", number(1, 7)))) << "metadata as a number";
  EXPECT_EQ(decode_protobuf(object("example.com/v1", "Thing", "")).error().code,
            ErrorCode::kBadRequest);
}

TEST(ProtobufBody, RefusesJsonInsideThatIsNestedBeyondMeasure) {
  const std::string deep(10'000, '[');
  EXPECT_FALSE(decode_protobuf(object("apps/v1", "ControllerRevision", bytes(2, bytes(1, deep)))));
}

}  // namespace
}  // namespace minik
