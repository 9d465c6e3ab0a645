// Custom resources in a version that a webhook makes of the stored one: what clients of each version read and write.
#include "control/admission/webhook_caller.h"
#include "control/schema/kinds.h"
#include "tests/api/custom_world.h"

namespace minik::control {

namespace {

constexpr const char* kOld = "/apis/example.com/v1/namespaces/default/widgets";
constexpr const char* kNew = "/apis/example.com/v2/namespaces/default/widgets";

// v1 has spec.address "host:port", v2 spec.host and spec.port.
Value converted(const Value& object, const std::string& version) {
  const Value& spec = object.get("spec");
  Value next;
  if (version == "example.com/v2") {
    const std::string address = spec.get("address").string();
    const size_t colon = address.find(':');
    next = Value::map({{"host", address.substr(0, colon)}, {"port", address.substr(colon + 1)}});
  } else {
    next = Value::map({{"address", cat(spec.get("host").as_string(), ":", spec.get("port").as_string())}});
  }
  return object.with("spec", next).with("apiVersion", Value(version));
}

class Converter final : public WebhookCaller {
 public:
  explicit Converter(Executor& executor) : executor_(executor) {}
  void call(WebhookCall call, std::function<void(Result<std::string>)> done) override {
    ++calls;
    last_url = call.url;
    if (down) {
      executor_.post([done] { done(Error(ErrorCode::kServiceUnavailable, "dial tcp: connect: connection refused")); });
      return;
    }
    const auto review = parse_json(call.body);
    CHECK(review.ok()) << call.body;
    const Value& request = review->get("request");
    std::vector<Value> objects;
    for (const auto& object : request.get("objects").items()) {
      objects.push_back(converted(object, request.get("desiredAPIVersion").string()));
    }
    Value result = Value::map({{"status", failure.empty() ? "Success" : "Failure"}, {"message", failure}});
    if (loses_one) objects.pop_back();
    if (renames) objects[0] = objects[0].with_at({"metadata", "name"}, "other");
    const Value answer = Value::map({{"apiVersion", "apiextensions.k8s.io/v1"},
                                     {"kind", "ConversionReview"},
                                     {"response", Value::map({{"uid", request.get("uid")},
                                                              {"result", result},
                                                              {"convertedObjects", Value::array(objects)}})}});
    executor_.after(milliseconds(5), [done, text = to_json(answer)] { done(text); });
  }

  bool down = false, loses_one = false, renames = false;
  std::string failure, last_url;
  int calls = 0;

 private:
  Executor& executor_;
};

class Conversions : public CustomWorld {
 protected:
  Conversions() {
    begin_with(&webhook);
    const auto yaml = parse_yaml(R"(
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: widgets, kind: Widget}
  conversion:
    strategy: Webhook
    webhook: {conversionReviewVersions: [v1], clientConfig: {url: "https://hooks.test/convert"}}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {address: {type: string}}}}}}
  - name: v2
    served: true
    storage: false
    subresources: {status: {}}
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec: {type: object, required: [host], properties: {host: {type: string, minLength: 1}, port: {type: string, default: "80"}}}
)", "definition");
    CHECK(yaml.ok()) << yaml.error().message;
    CHECK(define((*yaml)[0].value).status == 201);
  }
  CustomAnswer make(const char* where, const std::string& name, const std::string& spec) {
    const std::string version = where == kOld ? "v1" : "v2";
    return send("POST", where, cat(R"({"apiVersion":"example.com/)", version, R"(","kind":"Widget","metadata":{"name":")", name,
                                   R"("},"spec":)", spec, "}"));
  }
  std::string spec_of(const CustomAnswer& answer) { return to_json(answer.at("spec")); }

  Converter webhook{executor};
};

TEST_F(Conversions, AnObjectIsReadInTheVersionThatIsAskedFor) {
  ASSERT_EQ(make(kOld, "a", R"({"address":"h:1"})").status, 201);
  EXPECT_EQ(webhook.calls, 0);
  const auto other = get(cat(kNew, "/a"));
  ASSERT_EQ(other.status, 200) << other.message();
  EXPECT_EQ(spec_of(other), R"({"host":"h","port":"1"})");
  EXPECT_EQ(other.at("apiVersion").string(), "example.com/v2");
  EXPECT_EQ(other.at("metadata.uid").string(), get(cat(kOld, "/a")).at("metadata.uid").string());
  EXPECT_EQ(webhook.last_url, "https://hooks.test/convert?timeout=30s");
}

TEST_F(Conversions, AnObjectIsWrittenInItsOwnWordsAndCheckedByThem) {
  const auto made = make(kNew, "a", R"({"host":"h"})");
  ASSERT_EQ(made.status, 201) << made.message();
  EXPECT_EQ(spec_of(made), R"({"host":"h","port":"80"})");
  EXPECT_EQ(spec_of(get(cat(kOld, "/a"))), R"({"address":"h:80"})");
  const auto refused = make(kNew, "b", R"({"host":""})");
  EXPECT_EQ(refused.status, 422);
  EXPECT_NE(refused.message().find("spec.host"), std::string::npos) << refused.message();
  EXPECT_EQ(get(cat(kOld, "/b")).status, 404);
}

TEST_F(Conversions, APatchIsMadeAgainstWhatItsClientSees) {
  make(kOld, "a", R"({"address":"h:1"})");
  const auto patched = send("PATCH", cat(kNew, "/a"), R"({"spec":{"port":"2"}})", "application/merge-patch+json");
  ASSERT_EQ(patched.status, 200) << patched.message();
  EXPECT_EQ(spec_of(patched), R"({"host":"h","port":"2"})");
  EXPECT_EQ(spec_of(get(cat(kOld, "/a"))), R"({"address":"h:2"})");
  EXPECT_EQ(send("PATCH", cat(kNew, "/none"), "{}", "application/merge-patch+json").status, 404);
}

TEST_F(Conversions, AnUpdateMeetsTheVersionOfToday) {
  make(kOld, "a", R"({"address":"h:1"})");
  const Value mine = get(cat(kNew, "/a")).body;
  const auto changed = call("PUT", cat(kNew, "/a"), mine.with_at({"spec", "port"}, "3"));
  ASSERT_EQ(changed.status, 200) << changed.message();
  EXPECT_EQ(call("PUT", cat(kNew, "/a"), mine.with_at({"spec", "port"}, "4")).status, 409);
  EXPECT_EQ(spec_of(get(cat(kOld, "/a"))), R"({"address":"h:3"})");
}

TEST_F(Conversions, AListIsAskedForAsOneAndAnEmptyOneNotAtAll) {
  EXPECT_EQ(get(kNew).at("items").size(), 0U);
  EXPECT_EQ(webhook.calls, 0);
  for (const char* name : {"a", "b", "c"}) make(kOld, name, R"({"address":"h:1"})");
  const auto list = get(kNew);
  ASSERT_EQ(list.at("items").size(), 3U);
  EXPECT_EQ(list.at("apiVersion").string(), "example.com/v2");
  EXPECT_EQ(list.at("items").items()[2].get("spec").get("host").string(), "h");
  EXPECT_EQ(webhook.calls, 1);
}

TEST_F(Conversions, AWatchTellsItsEventsConvertedAndInOrder) {
  make(kOld, "a", R"({"address":"h:1"})");
  ApiRequest request;
  request.verb = Verb::kWatch;
  request.kind = schema->find("example.com", "v2", "widgets")->id;
  request.namespace_ = "default";
  std::string seen;
  WatchCallbacks callbacks;
  callbacks.on_event = [&](const WatchEvent& event) {
    seen += cat(watch_event_name(event.type), " ", event.object.get("metadata").get("name").as_string(), " ",
                event.object.get("spec").get("port").as_string(), "; ");
  };
  callbacks.on_end = [&](const Status& status) { seen += cat("end ", status.ok() ? "" : status.error().message); };
  const auto watching = client->watch(request, std::move(callbacks));
  settle();
  make(kOld, "b", R"({"address":"h:2"})");
  send("PATCH", cat(kOld, "/a"), R"({"spec":{"address":"h:9"}})", "application/merge-patch+json");
  send("DELETE", cat(kOld, "/b"), "");
  settle();
  EXPECT_EQ(seen, "ADDED a 1; ADDED b 2; MODIFIED a 9; DELETED b 2; ");
  send("DELETE", cat(kDefinitions, "/widgets.example.com"), "");
  settle();
  EXPECT_NE(seen.find("DELETED a 9; end "), std::string::npos) << seen;
}

TEST_F(Conversions, FailuresAreWordedAsKubernetesWordsThem) {
  make(kOld, "a", R"({"address":"h:1"})");
  webhook.failure = "no port";
  EXPECT_EQ(get(cat(kNew, "/a")).message(), "conversion webhook for example.com/v1, Kind=Widget failed: no port");
  EXPECT_EQ(get(cat(kNew, "/a")).status, 500);
  webhook.failure.clear();
  webhook.loses_one = true;
  EXPECT_EQ(get(cat(kNew, "/a")).message(), "conversion webhook for example.com/v1, Kind=Widget returned 0 objects, expected 1");
  webhook.loses_one = false;
  webhook.renames = true;
  EXPECT_EQ(get(cat(kNew, "/a")).message(), "conversion webhook for example.com/v1, Kind=Widget returned invalid converted object "
                                            "at index 0: must not change metadata.name");
  webhook.renames = false;
  webhook.down = true;
  EXPECT_EQ(make(kNew, "b", R"({"host":"h"})").message(),
            "conversion webhook for example.com/v2, Kind=Widget failed: Post \"https://hooks.test/convert?timeout=30s\": dial "
            "tcp: connect: connection refused");
  EXPECT_EQ(get(cat(kOld, "/a")).status, 200);
}

// ---- watches and the definitions behind them ----

TEST_F(Conversions, AWatchEndsWhenItsDefinitionIsChanged) {
  ApiRequest request;
  request.verb = Verb::kWatch;
  request.kind = schema->find("example.com", "v1", "widgets")->id;
  bool ended = false;
  WatchCallbacks callbacks;
  callbacks.on_event = [](const WatchEvent&) {};
  callbacks.on_end = [&](const Status&) { ended = true; };
  const auto watching = client->watch(request, std::move(callbacks));
  settle();
  const std::string definition = cat(kDefinitions, "/widgets.example.com");
  send("PATCH", definition, R"({"metadata":{"labels":{"a":"b"}}})", "application/merge-patch+json");
  settle();
  EXPECT_FALSE(ended);
  send("PATCH", definition, R"({"spec":{"names":{"shortNames":["w"]}}})", "application/merge-patch+json");
  settle();
  EXPECT_TRUE(ended);
}

// ---- another storage version ----

class StorageVersions : public Conversions {
 protected:
  static constexpr const char* kDefinition = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.example.com";

  CustomAnswer store_in_v2() {
    const Value definition = get(kDefinition).body;
    std::vector<Value> versions;
    for (const Value& version : definition["spec"]["versions"].items())
      versions.push_back(version.with("storage", version["name"].as_string() == "v2"));
    const auto changed = call("PUT", kDefinition, definition.with_at({"spec", "versions"}, Value::array(versions)));
    settle();
    return changed;
  }
  CustomAnswer trim_stored_versions() {
    return send("PATCH", cat(kDefinition, "/status"), R"({"status":{"storedVersions":["v2"]}})", "application/merge-patch+json");
  }
  CustomAnswer forget_v1() {
    const auto changed = trim_stored_versions();
    settle();
    return changed;
  }
  static std::string note(const Value& definition) {
    return definition["metadata"]["annotations"].get("minik.dev/stored-in").string();
  }
  CustomAnswer remove_v1() {
    return send("PATCH", kDefinition, R"([{"op":"remove","path":"/spec/versions/0"}])", "application/json-patch+json");
  }
  int questions_for(const std::string& target) {
    const int before = webhook.calls;
    EXPECT_EQ(get(target).status, 200);
    return webhook.calls - before;
  }
};

TEST_F(StorageVersions, OldAndNewObjectsAreReadInBothVersions) {
  make(kOld, "a", R"({"address":"h:1"})");
  EXPECT_EQ(to_json(store_in_v2().at("status.storedVersions")), R"(["v1","v2"])");
  ASSERT_EQ(make(kNew, "b", R"({"host":"i"})").status, 201);
  EXPECT_EQ(spec_of(get(cat(kNew, "/a"))), R"({"host":"h","port":"1"})");
  EXPECT_EQ(spec_of(get(cat(kOld, "/a"))), R"({"address":"h:1"})");
  EXPECT_EQ(spec_of(get(cat(kNew, "/b"))), R"({"host":"i","port":"80"})");
  EXPECT_EQ(spec_of(get(cat(kOld, "/b"))), R"({"address":"i:80"})");
}

TEST_F(StorageVersions, OneThatObjectsMayBeInStaysInTheDefinition) {
  make(kOld, "a", R"({"address":"h:1"})");
  store_in_v2();
  const auto refused = remove_v1();
  EXPECT_EQ(refused.status, 422);
  EXPECT_NE(refused.message().find("v1 was previously a storage version"), std::string::npos) << refused.message();
}

TEST_F(StorageVersions, ObjectsAreConvertedBeforeTheirOldVersionGoes) {
  for (int i = 0; i < 250; ++i) make(kOld, cat("w", i), cat(R"({"address":"h:)", i, "\"}"));
  store_in_v2();
  EXPECT_EQ(questions_for(cat(kOld, "/w7")), 0);
  ASSERT_EQ(forget_v1().status, 200);
  EXPECT_EQ(questions_for(cat(kNew, "/w7")), 0);
  EXPECT_EQ(questions_for(cat(kOld, "/w7")), 1);
  EXPECT_EQ(spec_of(get(cat(kNew, "/w249"))), R"({"host":"h","port":"249"})");
  EXPECT_TRUE(get(kDefinition).at("metadata.annotations").is_absent());
  EXPECT_EQ(remove_v1().status, 200);
  settle();
  EXPECT_EQ(get(cat(kOld, "/w7")).status, 404);
  EXPECT_EQ(spec_of(get(cat(kNew, "/w7"))), R"({"host":"h","port":"7"})");
}

TEST_F(StorageVersions, AWebhookThatFailsLosesNothingAndIsAskedAgain) {
  make(kOld, "a", R"({"address":"h:1"})");
  store_in_v2();
  webhook.down = true;
  forget_v1();
  EXPECT_EQ(spec_of(get(cat(kOld, "/a"))), R"({"address":"h:1"})");
  EXPECT_EQ(note(get(kDefinition).body), "v1");
  webhook.down = false;
  executor.run_until(executor.now() + seconds(15), [] { return false; });
  EXPECT_EQ(questions_for(cat(kNew, "/a")), 0);
  EXPECT_EQ(spec_of(get(cat(kNew, "/a"))), R"({"host":"h","port":"1"})");
}

TEST_F(StorageVersions, TheWriteThatTrimsThemSaysInWhichFormObjectsAre) {
  make(kOld, "a", R"({"address":"h:1"})");
  store_in_v2();
  webhook.down = true;
  EXPECT_EQ(note(trim_stored_versions().body), "v1") << "a server that dies right after this write must know";
  send("PATCH", kDefinition, R"({"metadata":{"annotations":{"minik.dev/stored-in":null}}})", "application/merge-patch+json");
  EXPECT_EQ(note(get(kDefinition).body), "v1") << "nobody else's word counts";
  const auto refused = remove_v1();
  EXPECT_EQ(refused.status, 422);
  EXPECT_NE(refused.message().find("objects are still stored in v1"), std::string::npos) << refused.message();
  restart();
  EXPECT_EQ(spec_of(get(cat(kOld, "/a"))), R"({"address":"h:1"})");
  webhook.down = false;
  executor.run_until(executor.now() + seconds(15), [] { return false; });
  EXPECT_EQ(remove_v1().status, 200);
  settle();
  EXPECT_EQ(spec_of(get(cat(kNew, "/a"))), R"({"host":"h","port":"1"})");
}

TEST_F(StorageVersions, ObjectsAndWhatIsSaidOfThemChangeTogether) {
  make(kOld, "a", R"({"address":"h:1"})");
  store_in_v2();
  trim_stored_versions();
  const KindId widgets = schema->find("example.com", "v1", "widgets")->id;
  const auto is_converted = [&] { return store->find(widgets, "default", "a")["spec"].get("host").has_value(); };
  const auto said = [&] { return note(store->find(kinds::kCustomresourcedefinitions, "", "widgets.example.com")); };
  ASSERT_FALSE(is_converted());
  while (!is_converted() && executor.step()) EXPECT_EQ(said(), is_converted() ? "" : "v1");
  EXPECT_TRUE(is_converted());
}

}  // namespace

}  // namespace minik::control
