// What rules of custom resources may cost by estimate, as authors of definitions meet it.
#include "tests/api/custom_world.h"

namespace minik::control {

namespace {

class RuleCostTest : public CustomWorld {
 protected:
  // The complaints about a definition whose spec has this schema (YAML in flow style).
  std::string complaints(const std::string& spec) {
    const auto parsed = parse_yaml(cat(R"(apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  names: {plural: widgets, singular: widget, kind: Widget}
  scope: Namespaced
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, properties: {spec: )", spec, "}}}\n"), "definition");
    CHECK(parsed.ok()) << parsed.error().message;
    const auto answer = call("POST", cat(kDefinitions, "?dryRun=All"), (*parsed)[0].value);
    if (answer.status == 201) return "taken";
    std::string all;
    for (const auto& cause : answer.at("details.causes").items()) all += cat(cause["field"].as_string(), ": ", cause["message"].as_string(), "\n");
    return all;
  }
};

constexpr const char* kRemedy =
    "(try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)";

TEST_F(RuleCostTest, ARuleOverListsAndTextsWithoutBoundsIsRefusedWithTheRemedy) {
  const std::string unbounded = "{type: object, properties: {list: {type: array, items: {type: string}, x-kubernetes-validations: "
                                "[{rule: \"self.all(x, x.contains('a string'))\"}]}}}";
  EXPECT_EQ(complaints(unbounded),
            cat("spec.versions[0].schema.openAPIV3Schema.properties[spec].properties[list].x-kubernetes-validations[0].rule: Forbidden: estimated "
                "rule cost exceeds budget by factor of more than 100x ", kRemedy, "\n",
                "spec.versions[0].schema.openAPIV3Schema.properties[spec].properties[list].x-kubernetes-validations[0].rule: Forbidden: contributed to "
                "estimated rule & messageExpression cost total exceeding cost limit for entire OpenAPIv3 schema\n",
                "spec.versions[0].schema.openAPIV3Schema: Forbidden: x-kubernetes-validations estimated rule & messageExpression cost total for "
                "entire OpenAPIv3 schema exceeds budget by factor of more than 100x ", kRemedy, "\n"));
  const std::string bounded = "{type: object, properties: {list: {type: array, maxItems: 25, items: {type: string, maxLength: 500}, "
                              "x-kubernetes-validations: [{rule: \"self.all(x, x.contains('a string'))\"}]}}}";
  EXPECT_EQ(complaints(bounded), "taken");
}

TEST_F(RuleCostTest, ARuleOfAnItemCountsForEveryItemThatThereMayBe) {
  const auto items = [](const std::string& limit) {
    return cat("{type: object, properties: {list: {type: array, ", limit, "items: {type: object, properties: {a: {type: string, maxLength: 100}, "
               "b: {type: string, maxLength: 100}}, x-kubernetes-validations: [{rule: \"self.a.contains(self.b)\"}]}}}}");
  };
  // 1,604 for each item: 40 times 40 for the texts, and four steps to them.
  EXPECT_EQ(complaints(items("maxItems: 1000, ")), "taken");
  const std::string many = complaints(items("maxItems: 10000, "));
  EXPECT_TRUE(many.starts_with("spec.versions[0].schema.openAPIV3Schema.properties[spec].properties[list].items."
                               "x-kubernetes-validations[0].rule: Forbidden: estimated rule cost exceeds budget by factor of 1.6x (try "))
      << many;
  EXPECT_NE(complaints(items("")), "taken");
}

TEST_F(RuleCostTest, RulesWithoutLoopsAreTakenWhateverTheSizes) {
  EXPECT_EQ(complaints("{type: object, properties: {name: {type: string}, count: {type: integer}, place: {type: object, properties: {x: {type: "
                       "integer}}}}, x-kubernetes-validations: [{rule: \"self.name == oldSelf.name\"}, {rule: \"self.count > 3 || "
                       "has(self.place)\"}, {rule: \"self.place == oldSelf.place\"}, {rule: \"self.name.startsWith('a')\"}]}"),
            "taken");
}

TEST_F(RuleCostTest, WhatAMessageCostsIsEstimatedToo) {
  EXPECT_EQ(complaints("{type: object, properties: {x: {type: integer}}, x-kubernetes-validations: [{rule: \"self.x < 9\", messageExpression: "
                       "\"'x is too large: ' + string(self.x)\"}]}"),
            "taken");
  const std::string dear = complaints("{type: object, properties: {list: {type: array, items: {type: string}}}, x-kubernetes-validations: [{rule: "
                                      "\"size(self.list) < 3\", messageExpression: \"self.list.map(x, x + x).join(', ')\"}]}");
  EXPECT_NE(dear.find("x-kubernetes-validations[0].messageExpression: Forbidden: estimated messageExpression cost exceeds budget"), std::string::npos)
      << dear;
}

}  // namespace

}  // namespace minik::control
