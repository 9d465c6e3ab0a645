// CustomResourceDefinitions as clients see them: defined, served, changed and gone.
#include "tests/api/custom_world.h"

namespace minik::control {

namespace {

constexpr const char* kSchema = R"(
type: object
properties:
  spec:
    type: object
    required: [size]
    properties:
      size: {type: string, enum: [small, large]}
      replicas: {type: integer, default: 1, minimum: 0, maximum: 10}
      color: {type: string, pattern: '^[a-z]+$'}
      port: {x-kubernetes-int-or-string: true}
      free: {type: object, x-kubernetes-preserve-unknown-fields: true}
      note: {type: string, nullable: true}
      parts:
        type: array
        x-kubernetes-list-type: map
        x-kubernetes-list-map-keys: [name]
        items:
          type: object
          required: [name]
          properties:
            name: {type: string}
            weight: {type: integer, default: 5}
  status:
    type: object
    properties:
      replicas: {type: integer}
      selector: {type: string}
)";
constexpr const char* kSubresources = R"(
subresources:
  status: {}
  scale: {specReplicasPath: .spec.replicas, statusReplicasPath: .status.replicas, labelSelectorPath: .status.selector}
selectableFields: [{jsonPath: .spec.color}]
additionalPrinterColumns:
- {name: Size, type: string, jsonPath: .spec.size}
- {name: Heavy, type: integer, jsonPath: '.spec.parts[?(@.name=="engine")].weight', priority: 1}
)";

class CustomResourceTest : public CustomWorld {
 protected:
  void define_widgets() { ASSERT_EQ(define(kSchema, kSubresources).status, 201); }
};

TEST_F(CustomResourceTest, HoldsNumbersThatTheTypeOfTheirFormatHolds) {
  ASSERT_EQ(define(std::string(R"(
type: object
properties:
  small: {type: integer, format: int32}
  large: {type: integer, format: int64}
  real: {type: number, format: float}
  step: {type: number, multipleOf: 0.1}
)")).status, 201);
  int made = 0;
  const auto create = [&](const std::string& field) {
    return send("POST", kWidgets, cat(R"({"apiVersion":"example.com/v1","kind":"Widget","metadata":{"name":"w)", ++made, R"("},)", field, "}"));
  };
  const auto refused = create(R"("small":5000000000)");
  EXPECT_EQ(refused.status, 422);
  EXPECT_NE(refused.message().find("Checked value must be of type integer with format int32 in small"), std::string::npos) << refused.message();
  EXPECT_EQ(create(R"("small":-2147483649)").status, 422);
  EXPECT_EQ(create(R"("real":1e39)").status, 422);
  EXPECT_EQ(create(R"("step":0.35)").status, 422);
  for (const auto* good : {R"("small":2147483647)", R"("small":-2147483648)", R"("large":5000000000)", R"("real":3.4e38)", R"("step":0.3)"}) {
    EXPECT_EQ(create(good).status, 201) << good;
  }
}

TEST_F(CustomResourceTest, IsEstablishedWithNamesThatFollowFromTheKind) {
  const auto made = define(kSchema, kSubresources);
  EXPECT_EQ(made.status, 201) << made.message();
  EXPECT_EQ(to_json(made.at("status.storedVersions")), "[\"v1\"]");
  const auto now = get(cat(kDefinitions, "/widgets.example.com"));
  EXPECT_EQ(condition(now.body, "NamesAccepted"), "True NoConflicts");
  EXPECT_EQ(condition(now.body, "Established"), "True InitialNamesAccepted");
  EXPECT_EQ(now.at("status.acceptedNames.singular").as_string(), "widget");
  EXPECT_EQ(now.at("status.acceptedNames.listKind").as_string(), "WidgetList");
}

TEST_F(CustomResourceTest, IsUnknownUntilItIsDefined) {
  EXPECT_EQ(get(kWidgets).status, 404);
  define_widgets();
  EXPECT_EQ(get(kWidgets).status, 200);
}

TEST_F(CustomResourceTest, DropsUnknownFieldsAndFillsInDefaults) {
  define_widgets();
  const auto made = create("a", "spec: {size: small, typo: 1, free: {any: [1]}, parts: [{name: engine}]}");
  ASSERT_EQ(made.status, 201) << made.message();
  EXPECT_EQ(to_json(made.at("spec")),
            R"({"free":{"any":[1]},"parts":[{"name":"engine","weight":5}],"replicas":1,"size":"small"})");
  ASSERT_EQ(made.warnings.size(), 1U);
  EXPECT_EQ(made.warnings[0], "unknown field \"spec.typo\"");
}

TEST_F(CustomResourceTest, RefusesUnknownFieldsWhereTheClientIsStrict) {
  define_widgets();
  const auto made = create("a", "spec: {size: small, typo: 1}", "?fieldValidation=Strict");
  EXPECT_EQ(made.status, 400);
  EXPECT_EQ(made.message(),
            "Widget in version \"v1\" cannot be handled as a Widget: strict decoding error: unknown field \"spec.typo\"");
}

TEST_F(CustomResourceTest, SaysWhatIsWrongInKubernetesWords) {
  define_widgets();
  const auto made = create("a", "spec: {size: huge, replicas: many, color: RED, port: true}");
  EXPECT_EQ(made.status, 422);
  const std::string text = made.message();
  for (const std::string_view part :
       {"Widget.example.com \"a\" is invalid: [",
        "spec.size: Unsupported value: \"huge\": supported values: \"small\", \"large\"",
        "spec.replicas: Invalid value: \"string\": spec.replicas in body must be of type integer: \"string\"",
        "spec.color: Invalid value: \"RED\": spec.color in body should match '^[a-z]+$'",
        "spec.port: Invalid value: \"boolean\": spec.port in body must be of type integer,string: \"boolean\""}) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  }
  EXPECT_EQ(create("a", "spec: {}").message(), "Widget.example.com \"a\" is invalid: spec.size: Required value");
  EXPECT_EQ(create("a", "spec: {size: small, replicas: 11}").message(),
            "Widget.example.com \"a\" is invalid: spec.replicas: Invalid value: 11: spec.replicas in body should be "
            "less than or equal to 10");
}

TEST_F(CustomResourceTest, KeepsNullOnlyWhereItMayBe) {
  define_widgets();
  const auto made = create("a", "spec: {size: small, note: null, color: null, replicas: null}");
  ASSERT_EQ(made.status, 201) << made.message();
  EXPECT_EQ(to_json(made.at("spec")), R"({"note":null,"replicas":1,"size":"small"})");
}

TEST_F(CustomResourceTest, RefusesTwinsInAListOfKindMap) {
  define_widgets();
  const auto made = create("a", "spec: {size: small, parts: [{name: x}, {name: x}]}");
  EXPECT_EQ(made.message(), "Widget.example.com \"a\" is invalid: spec.parts[1]: Duplicate value: {\"name\":\"x\"}");
}

TEST_F(CustomResourceTest, CountsGenerationsOfWhatIsWantedAlone) {
  define_widgets();
  const auto made = create("a", "{spec: {size: small}, status: {replicas: 7}}");
  EXPECT_EQ(made.at("metadata.generation").as_int(), 1);
  EXPECT_FALSE(made.body.contains("status"));
  const auto reported = send("PATCH", cat(path("a"), "/status"), R"({"status":{"replicas":3},"spec":{"size":"large"}})",
                             "application/merge-patch+json");
  ASSERT_EQ(reported.status, 200) << reported.message();
  EXPECT_EQ(reported.at("status.replicas").as_int(), 3);
  EXPECT_EQ(reported.at("spec.size").as_string(), "small");
  EXPECT_EQ(reported.at("metadata.generation").as_int(), 1);
  const auto changed = send("PATCH", path("a"), R"({"spec":{"size":"large"},"status":{"replicas":9}})", "application/merge-patch+json");
  EXPECT_EQ(changed.at("metadata.generation").as_int(), 2);
  EXPECT_EQ(changed.at("status.replicas").as_int(), 3);
}

TEST_F(CustomResourceTest, TakesJsonAndMergePatchesButNoStrategicOnes) {
  define_widgets();
  create("a", "spec: {size: small}");
  EXPECT_EQ(send("PATCH", path("a"), R"([{"op":"replace","path":"/spec/size","value":"large"}])", "application/json-patch+json")
                .at("spec.size").as_string(), "large");
  EXPECT_EQ(send("PATCH", path("a"), "{}", "application/strategic-merge-patch+json").status, 415);
}

TEST_F(CustomResourceTest, ScalesWhereItsPathsSay) {
  define_widgets();
  create("a", "spec: {size: small, replicas: 2}");
  send("PATCH", cat(path("a"), "/status"), R"({"status":{"replicas":2,"selector":"app=a"}})", "application/merge-patch+json");
  auto scale = get(cat(path("a"), "/scale"));
  EXPECT_EQ(scale.at("kind").as_string(), "Scale");
  EXPECT_EQ(to_json(scale.at("status")), R"({"replicas":2,"selector":"app=a"})");
  scale = send("PATCH", cat(path("a"), "/scale"), R"({"spec":{"replicas":5}})", "application/merge-patch+json");
  ASSERT_EQ(scale.status, 200) << scale.message();
  EXPECT_EQ(get(path("a")).at("spec.replicas").as_int(), 5);
  // A scale that the schema forbids is an error about the object.
  scale = send("PATCH", cat(path("a"), "/scale"), R"({"spec":{"replicas":50}})", "application/merge-patch+json");
  EXPECT_EQ(scale.status, 422);
}

TEST_F(CustomResourceTest, ShowsItsColumns) {
  define_widgets();
  create("a", "spec: {size: small, parts: [{name: wheel}, {name: engine, weight: 9}]}");
  const auto table = get(kWidgets, "application/json;as=Table;v=v1;g=meta.k8s.io");
  const auto columns = table.at("columnDefinitions").items();
  ASSERT_EQ(columns.size(), 3U);
  EXPECT_EQ(columns[2].get("priority").as_int(), 1);
  EXPECT_EQ(to_json(table.at("rows").items()[0].get("cells")), R"(["a","small",9])");
}

TEST_F(CustomResourceTest, FindsObjectsByTheFieldsThatMaySelect) {
  define_widgets();
  create("a", "spec: {size: small, color: red}");
  create("b", "spec: {size: small, color: blue}");
  const auto found = get(cat(kWidgets, "?fieldSelector=spec.color%3Dblue"));
  ASSERT_EQ(found.at("items").size(), 1U) << found.message();
  EXPECT_EQ(object_name(found.at("items").items()[0]), "b");
  EXPECT_EQ(found.at("items").items()[0].get("kind").as_string(), "Widget");
}

TEST_F(CustomResourceTest, AppliesListsByTheirKeys) {
  define_widgets();
  const auto apply = [&](const std::string& manager, const std::string& parts) {
    return send("PATCH", cat(path("a"), "?fieldManager=", manager),
                cat("apiVersion: example.com/v1\nkind: Widget\nspec: {size: small, parts: ", parts, "}"),
                "application/apply-patch+yaml");
  };
  ASSERT_EQ(apply("one", "[{name: x, weight: 1}]").status, 201);
  const auto both = apply("two", "[{name: y, weight: 2}]");
  ASSERT_EQ(both.status, 200) << both.message();
  EXPECT_EQ(to_json(both.at("spec.parts")), R"([{"name":"x","weight":1},{"name":"y","weight":2}])");
  const auto conflict = apply("two", "[{name: x, weight: 3}]");
  EXPECT_EQ(conflict.status, 409);
  EXPECT_NE(conflict.message().find(".spec.parts[name=\"x\"].weight"), std::string::npos) << conflict.message();
}

TEST_F(CustomResourceTest, FreeFormContentIsSharedEntryByEntry) {
  define_widgets();
  const auto apply = [&](const std::string& manager, const std::string& free) {
    return send("PATCH", cat(kWidgets, "/w?fieldManager=", manager),
                cat("{apiVersion: example.com/v1, kind: Widget, metadata: {name: w}, spec: {size: small, free: ", free, "}}"),
                "application/apply-patch+yaml");
  };
  ASSERT_EQ(apply("one", "{a: {x: 1}, list: [1]}").status, 201);
  const auto both = apply("two", "{a: {y: 2}}");
  ASSERT_EQ(both.status, 200) << both.message();
  EXPECT_EQ(to_json(both.at("spec.free")), R"({"a":{"x":1,"y":2},"list":[1]})");
  EXPECT_NE(apply("two", "{a: {x: 3}}").message().find(".spec.free.a.x"), std::string::npos);
  EXPECT_NE(apply("two", "{list: [2]}").message().find(".spec.free.list"), std::string::npos);
  const auto less = apply("two", "{}");
  EXPECT_EQ(to_json(less.at("spec.free")), R"({"a":{"x":1},"list":[1]})") << "what two has taken back is gone";
}

TEST_F(CustomResourceTest, LivesThroughARestart) {
  define_widgets();
  create("a", "spec: {size: small}");
  restart();
  EXPECT_EQ(get(path("a")).at("spec.size").as_string(), "small");
  EXPECT_EQ(create("b", "spec: {size: large}").status, 201);
}

TEST_F(CustomResourceTest, IsCountedByQuotasAndMetrics) {
  ASSERT_EQ(define(std::string("type: object")).status, 201);
  const auto quota = parse_yaml("apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: q}\nspec: {hard: {count/widgets.example.com: '1'}}\n", "q");
  const std::string quotas = "/api/v1/namespaces/default/resourcequotas";
  ASSERT_EQ(call("POST", quotas, (*quota)[0].value).status, 201);
  // What the quota's controller would say, which has no cache of widgets.
  const auto limits = parse_yaml("status: {hard: {count/widgets.example.com: '1'}}", "q");
  ASSERT_EQ(call("PATCH", cat(quotas, "/q/status"), (*limits)[0].value, "application/merge-patch+json").status, 200);
  const auto used = [&] { return get(cat(quotas, "/q")).body["status"]["used"].get("count/widgets.example.com").string(); };
  EXPECT_EQ(used(), "0");
  const auto widget = [](const char* name) {
    return Value::map({{"apiVersion", "example.com/v1"}, {"kind", "Widget"}, {"metadata", Value::map({{"name", name}})}});
  };
  ASSERT_EQ(call("POST", kWidgets, widget("a")).status, 201);
  EXPECT_EQ(used(), "1");
  EXPECT_EQ(call("POST", kWidgets, widget("b")).message(),
            "widgets.example.com \"b\" is forbidden: exceeded quota: q, requested: count/widgets.example.com=1, used: "
            "count/widgets.example.com=1, limited: count/widgets.example.com=1");
  EXPECT_NE(metrics.text().find(R"(apiserver_storage_objects{resource="widgets.example.com"} 1)"), std::string::npos);
  ASSERT_EQ(call("DELETE", cat(kWidgets, "/a"), Value()).status, 200);
  EXPECT_EQ(used(), "0");
  EXPECT_NE(metrics.text().find(R"(apiserver_storage_objects{resource="widgets.example.com"} 0)"), std::string::npos);
}

TEST_F(CustomResourceTest, GoesWithItsObjects) {
  define_widgets();
  create("a", "spec: {size: small}");
  auto held = widget("b", "spec: {size: small}");
  held = held.with("metadata", held.get("metadata").with("finalizers", Value::array({"example.com/hold"})));
  ASSERT_EQ(call("POST", kWidgets, held).status, 201);
  EXPECT_EQ(send("DELETE", cat(kDefinitions, "/widgets.example.com"), "").status, 200);
  settle();
  EXPECT_EQ(get(path("a")).status, 404);
  EXPECT_EQ(condition(get(cat(kDefinitions, "/widgets.example.com")).body, "Terminating"), "True InstanceDeletionInProgress");
  const auto late = create("c", "spec: {size: small}");
  EXPECT_EQ(late.status, 405);
  EXPECT_EQ(late.message(), "create not allowed while custom resource definition is terminating");
  send("PATCH", path("b"), R"({"metadata":{"finalizers":null}})", "application/merge-patch+json");
  settle();
  EXPECT_EQ(get(cat(kDefinitions, "/widgets.example.com")).status, 404);
  EXPECT_EQ(get(kWidgets).status, 404);
  define_widgets();
  EXPECT_EQ(get(kWidgets).at("items").size(), 0U);
}

TEST_F(CustomResourceTest, FillsInADefaultThatCameLaterWhenItIsRead) {
  define_widgets();
  create("a", "spec: {size: small}");
  auto changed = get(cat(kDefinitions, "/widgets.example.com")).body;
  std::string text = kSchema;
  text.replace(text.find("color: {type: string"), 20, "color: {default: green, type: string");
  changed = changed.with_at({"spec", "versions"}, definition(text, kSubresources).get("spec").get("versions"));
  ASSERT_EQ(call("PUT", cat(kDefinitions, "/widgets.example.com"), changed).status, 200);
  settle();
  EXPECT_EQ(get(path("a")).at("spec.color").as_string(), "green");
}

TEST_F(CustomResourceTest, ServesEachVersionInItsOwnWords) {
  auto two = definition(kSchema, kSubresources);
  const auto old_version = parse_yaml(R"(
name: v1beta1
served: true
storage: false
deprecated: true
schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {size: {type: string}}}}}}
)", "version");
  auto versions = two.get("spec").get("versions").items();
  std::vector<Value> all(versions.begin(), versions.end());
  all.push_back((*old_version)[0].value);
  two = two.with_at({"spec", "versions"}, Value::array(std::move(all)));
  ASSERT_EQ(define(two).status, 201);
  create("a", "spec: {size: small, color: red}");
  const auto seen = get("/apis/example.com/v1beta1/namespaces/default/widgets/a");
  EXPECT_EQ(seen.at("apiVersion").as_string(), "example.com/v1beta1");
  EXPECT_EQ(to_json(seen.at("spec")), R"({"size":"small"})");
  ASSERT_EQ(seen.warnings.size(), 1U);
  EXPECT_EQ(seen.warnings[0], "example.com/v1beta1 Widget is deprecated");
}

TEST_F(CustomResourceTest, WaitsForNamesThatAnotherOneHas) {
  define_widgets();
  auto other = definition("type: object").with_at({"metadata", "name"}, "gadgets.example.com");
  other = other.with_at({"spec", "names"}, Value::map({{"plural", "gadgets"}, {"kind", "Widget"}}));
  ASSERT_EQ(define(other).status, 201);
  const auto waiting = get(cat(kDefinitions, "/gadgets.example.com"));
  EXPECT_EQ(condition(waiting.body, "Established"), "False NotAccepted");
  EXPECT_EQ(condition(waiting.body, "NamesAccepted"), "False ListKindConflict");
  send("DELETE", cat(kDefinitions, "/widgets.example.com"), "");
  settle();
  EXPECT_EQ(condition(get(cat(kDefinitions, "/gadgets.example.com")).body, "Established"), "True InitialNamesAccepted");
}

TEST_F(CustomResourceTest, IsListedAmongTheApiServicesThatAreLocal) {
  define_widgets();
  const auto own = get("/apis/apiregistration.k8s.io/v1/apiservices/v1.example.com");
  ASSERT_EQ(own.status, 200) << own.message();
  EXPECT_EQ(condition(own.body, "Available"), "True Local");
  const auto all = get("/apis/apiregistration.k8s.io/v1/apiservices", "application/json;as=Table;v=v1;g=meta.k8s.io");
  EXPECT_NE(to_json(all.at("rows")).find(R"(["v1.apps","Local","True")"), std::string::npos);
  const auto remote = send("POST", "/apis/apiregistration.k8s.io/v1/apiservices",
                           R"({"metadata":{"name":"v1.far.example.com"},"spec":{"group":"far.example.com","version":"v1",
                               "groupPriorityMinimum":1000,"versionPriority":15,"service":{"name":"far","namespace":"default"}}})");
  ASSERT_EQ(remote.status, 201) << remote.message();
  settle();
  const auto judged = get("/apis/apiregistration.k8s.io/v1/apiservices/v1.far.example.com");
  EXPECT_EQ(condition(judged.body, "Available"), "False ServiceNotFound");
}

TEST_F(CustomResourceTest, KeepsItsObjectsWhenAnotherVersionIsStored) {
  constexpr const char* kWidget = "/apis/example.com/v1/namespaces/default/widgets";
  define_widgets();
  ASSERT_EQ(send("POST", kWidget, R"({"apiVersion":"example.com/v1","kind":"Widget","metadata":{"name":"a"},"spec":{"size":"small","color":"red"}})").status, 201);
  const auto definition = cat(kDefinitions, "/widgets.example.com");
  const Value now = get(definition).body;
  const Value first = now["spec"]["versions"].items()[0];
  const auto changed = call("PUT", definition, now.with_at({"spec", "versions"}, Value::array({first.with("storage", false), first.with("name", "v2")})));
  ASSERT_EQ(changed.status, 200) << changed.message();
  settle();
  EXPECT_EQ(to_json(get(definition).at("status.storedVersions")), R"(["v1","v2"])");
  for (const char* version : {"v1", "v2"}) {
    const auto read = get(cat("/apis/example.com/", version, "/namespaces/default/widgets/a"));
    EXPECT_EQ(read.at("spec.color").string(), "red");
    EXPECT_EQ(read.at("apiVersion").string(), cat("example.com/", version));
  }
  const auto refused = send("PATCH", definition, R"([{"op":"remove","path":"/spec/versions/0"}])", "application/json-patch+json");
  EXPECT_EQ(refused.status, 422);
  EXPECT_NE(refused.message().find("status.storedVersions[0]: Invalid value: \"v1\""), std::string::npos) << refused.message();
  ASSERT_EQ(send("PATCH", cat(definition, "/status"), R"({"status":{"storedVersions":["v2"]}})", "application/merge-patch+json").status, 200);
  EXPECT_EQ(send("PATCH", definition, R"([{"op":"remove","path":"/spec/versions/0"}])", "application/json-patch+json").status, 200);
  settle();
  EXPECT_EQ(get(cat(kWidget, "/a")).status, 404);
  EXPECT_EQ(get("/apis/example.com/v2/namespaces/default/widgets/a").at("spec.color").string(), "red");
}

// ---- rules in CEL ----

constexpr const char* kRules = R"(
type: object
properties:
  spec:
    type: object
    x-kubernetes-validations:
    - {rule: 'self.min <= self.max', messageExpression: '"min " + string(self.min) + " is over max " + string(self.max)', fieldPath: .min}
    - {rule: 'self.name == oldSelf.name', message: name is immutable, reason: FieldValueForbidden}
    - {rule: '!has(self.until) || self.until > timestamp("2026-01-01T00:00:00Z")'}
    properties:
      min: {type: integer}
      max: {type: integer}
      name: {type: string}
      until: {type: string, format: date-time}
      legacy:
        type: string
        x-kubernetes-validations: [{rule: 'self.size() < 3'}]
)";

TEST_F(CustomResourceTest, ObeysTheRulesOfItsSchema) {
  ASSERT_EQ(define(std::string(kRules)).status, 201);
  EXPECT_EQ(create("a", "spec: {min: 2, max: 1, name: x}").message(),
            "Widget.example.com \"a\" is invalid: spec.min: Invalid value: \"object\": min 2 is over max 1");
  EXPECT_EQ(create("a", "spec: {min: 1, max: 1, name: x, until: '2025-01-01T00:00:00Z'}").message(),
            "Widget.example.com \"a\" is invalid: spec: Invalid value: \"object\": failed rule: !has(self.until) || "
            "self.until > timestamp(\"2026-01-01T00:00:00Z\")");
  ASSERT_EQ(create("a", "spec: {min: 1, max: 1, name: x}").status, 201);
  EXPECT_EQ(send("PATCH", path("a"), R"({"spec":{"name":"y"}})", "application/merge-patch+json").message(),
            "Widget.example.com \"a\" is invalid: spec: Forbidden: name is immutable");
}

TEST_F(CustomResourceTest, ForgivesWhatWasWrongBeforeAndIsUnchanged) {
  std::string lax = kRules;
  lax.replace(lax.find("self.size() < 3"), 15, "self.size() < 9");
  ASSERT_EQ(define(lax).status, 201);
  ASSERT_EQ(create("a", "spec: {min: 1, max: 1, name: x, legacy: long}").status, 201);
  auto strict = get(cat(kDefinitions, "/widgets.example.com")).body;
  strict = strict.with_at({"spec", "versions"}, definition(kRules).get("spec").get("versions"));
  ASSERT_EQ(call("PUT", cat(kDefinitions, "/widgets.example.com"), strict).status, 200);
  settle();
  EXPECT_EQ(send("PATCH", path("a"), R"({"spec":{"max":2}})", "application/merge-patch+json").status, 200);
  EXPECT_EQ(send("PATCH", path("a"), R"({"spec":{"legacy":"longer"}})", "application/merge-patch+json").status, 422);
}

// ---- definitions that are refused ----

TEST_F(CustomResourceTest, RefusesSchemasThatAreNotStructural) {
  const auto told = [&](const std::string& text) {
    const auto made = define(text);
    return cat(made.status, " ", made.message());
  };
  const std::string start = "422 CustomResourceDefinition.apiextensions.k8s.io \"widgets.example.com\" is invalid: "
                            "spec.versions[0].schema.openAPIV3Schema";
  EXPECT_EQ(told("properties: {}"), cat(start, ".type: Required value: must not be empty at the root"));
  EXPECT_EQ(told("{type: object, properties: {spec: {}}}"),
            cat(start, ".properties[spec].type: Required value: must not be empty for specified object fields"));
  EXPECT_EQ(told("{type: object, properties: {spec: {type: array}}}"),
            cat(start, ".properties[spec].items: Required value: must be specified"));
  EXPECT_EQ(told("{type: object, properties: {spec: {type: object, anyOf: [{type: object}]}}}"),
            cat(start, ".properties[spec].anyOf[0].type: Forbidden: must be empty to be structural"));
  EXPECT_EQ(told("{type: object, properties: {spec: {type: integer, default: x}}}"),
            cat(start, ".properties[spec].default: Invalid value: \"string\": spec.versions[0].schema.openAPIV3Schema."
                       "properties[spec].default in body must be of type integer: \"string\""));
  EXPECT_NE(told("{type: object, properties: {spec: {type: string, x-kubernetes-validations: [{rule: self.foo}]}}}")
                .find(".properties[spec].x-kubernetes-validations[0].rule: Invalid value: {\"rule\":\"self.foo\"}: compilation failed"),
            std::string::npos);
}

TEST_F(CustomResourceTest, RefusesDefinitionsWhoseNamesDoNotFit) {
  const auto wrong = definition("type: object").with_at({"metadata", "name"}, "gadgets.example.com");
  EXPECT_EQ(define(wrong).message(),
            "CustomResourceDefinition.apiextensions.k8s.io \"gadgets.example.com\" is invalid: metadata.name: Invalid value: "
            "\"gadgets.example.com\": must be spec.names.plural+\".\"+spec.group");
}

TEST_F(CustomResourceTest, SaysItselfOfWhichKindItIs) {
  ASSERT_EQ(define(std::string("type: object")).status, 201);
  const auto refused = send("POST", kWidgets, R"({"apiVersion":"example.com/v1","metadata":{"name":"a"}})");
  EXPECT_EQ(refused.status, 400);
  EXPECT_TRUE(refused.message().starts_with("Object 'Kind' is missing in '{")) << refused.message();
}

}  // namespace

}  // namespace minik::control
