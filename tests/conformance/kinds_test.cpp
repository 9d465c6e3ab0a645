// Every stable kind through every verb, from the one minimal object that objects.yaml has of it.
#include "control/schema/kinds.h"
#include "tests/conformance/world.h"

namespace minik::control {
namespace {

class EveryKind : public Conformance, public ::testing::WithParamInterface<const ResourceInfo*> {
 protected:
  const ResourceInfo& resource = *GetParam();
  const Value example = example_of(resource);
  const std::string name{object_name(example)};
  const std::string collection = collection_of(resource);
  const std::string self = cat(collection, "/", name);

  void SetUp() override { ASSERT_TRUE(example.is_map()) << resource.api_version << " " << resource.kind; }

  Value stored() { return get(self).body; }
  static Value labelled(const Value& object, const Value& value) {
    return object.with_at({keys::kMetadata, keys::kLabels, Key("tier")}, value);
  }
  std::string label() { return stored()[keys::kMetadata][keys::kLabels]["tier"].string(); }
};

TEST_P(EveryKind, IsMadeStampedAndReadBack) {
  const auto made = create(resource, example);
  ASSERT_EQ(made.status, 201) << made.message();
  EXPECT_EQ(made.body[keys::kKind].as_string(), resource.kind);
  EXPECT_EQ(made.body[keys::kApiVersion].as_string(), resource.api_version);
  for (const auto* field : {"uid", "resourceVersion", "creationTimestamp"}) {
    EXPECT_FALSE(made.metadata(field).string().empty()) << field;
  }
  EXPECT_EQ(made.metadata("namespace").string(), resource.namespaced ? "default" : "");
  EXPECT_EQ(get(self).body, made.body);
  EXPECT_EQ(create(resource, example).reason(), "AlreadyExists");
}

TEST_P(EveryKind, IsListedAsItself) {
  ASSERT_EQ(create(resource, example).status, 201);
  const auto list = get(collection);
  EXPECT_EQ(list.body[keys::kKind].string(), cat(resource.kind, "List"));
  EXPECT_EQ(list.body[keys::kApiVersion].as_string(), resource.api_version);
  EXPECT_FALSE(list.version().empty());
  const auto chosen = get(cat(collection, "?fieldSelector=metadata.name%3D", name));
  ASSERT_EQ(chosen.body[keys::kItems].size(), 1U);
  EXPECT_EQ(object_name(chosen.body[keys::kItems].items()[0]), name);
}

TEST_P(EveryKind, HasATableAndBareMetadata) {
  ASSERT_EQ(create(resource, example).status, 201);
  const auto table = get(collection, kAsTable).body;
  EXPECT_EQ(table[keys::kKind].as_string(), "Table");
  EXPECT_EQ(table["columnDefinitions"].items()[0]["name"].as_string(),
            resource.id == kinds::kEvents || resource.id == kinds::kEventsEvents ? "Last Seen" : "Name");
  for (const auto& row : table["rows"].items()) {
    EXPECT_EQ(row["cells"].size(), table["columnDefinitions"].size());
  }
  const auto metadata = get(self, kAsMetadata).body;
  EXPECT_EQ(metadata[keys::kKind].as_string(), "PartialObjectMetadata");
  EXPECT_EQ(object_name(metadata), name);
  EXPECT_TRUE(metadata[keys::kSpec].is_absent());
  EXPECT_EQ(get(collection, kAsMetadataList).body[keys::kKind].as_string(), "PartialObjectMetadataList");
}

TEST_P(EveryKind, IsReplacedByItsNewestVersionOnly) {
  ASSERT_EQ(create(resource, example).status, 201);
  const Value first = stored();
  const auto put = call("PUT", self, to_json(labelled(first, "front")));
  ASSERT_EQ(put.status, 200) << put.message();
  EXPECT_EQ(label(), "front");
  EXPECT_EQ(put.metadata("uid"), first[keys::kMetadata][keys::kUid]);
  const auto late = call("PUT", self, to_json(labelled(first, "back")));
  EXPECT_EQ(late.status, 409);
  EXPECT_EQ(late.reason(), "Conflict");
  EXPECT_EQ(label(), "front");
}

TEST_P(EveryKind, TakesEveryFormOfPatch) {
  ASSERT_EQ(create(resource, example).status, 201);
  const auto merged = patch(self, R"({"metadata":{"labels":{"tier":"merge"}}})", kMergePatch);
  ASSERT_EQ(merged.status, 200) << merged.message();
  EXPECT_EQ(label(), "merge");
  const auto json = patch(self, R"([{"op":"replace","path":"/metadata/labels/tier","value":"json"}])", kJsonPatch);
  ASSERT_EQ(json.status, 200) << json.message();
  EXPECT_EQ(label(), "json");
  const auto strategic = patch(self, R"({"metadata":{"labels":{"tier":"strategic"}}})", kStrategicPatch);
  ASSERT_EQ(strategic.status, 200) << strategic.message();
  EXPECT_EQ(label(), "strategic");
  const auto nothing = patch(self, R"({"metadata":{"labels":{"tier":"strategic"}}})", kMergePatch);
  EXPECT_EQ(nothing.version(), strategic.version()) << "a patch that changes nothing made a version";
}

TEST_P(EveryKind, IsAppliedByAManager) {
  const auto made = apply(self, "one", to_json(labelled(example, "one")));
  ASSERT_EQ(made.status, 201) << made.message();
  const auto other = apply(self, "two", to_json(labelled(example, "two")));
  EXPECT_EQ(other.status, 409);
  EXPECT_NE(other.message().find("with \"one\""), std::string::npos) << other.message();
  const auto forced = apply(self, "two", to_json(labelled(example, "two")), true);
  ASSERT_EQ(forced.status, 200) << forced.message();
  EXPECT_EQ(label(), "two");
}

TEST_P(EveryKind, NamesWhoManagesItsFields) {
  ASSERT_EQ(create(resource, example, "?fieldManager=maker").status, 201);
  const Value entries = stored()[keys::kMetadata][keys::kManagedFields];
  // A bare object of some kinds has no field that anybody could manage.
  if (entries.empty()) {
    EXPECT_TRUE(example.without(keys::kApiVersion).without(keys::kKind).without(keys::kMetadata).empty());
    return;
  }
  EXPECT_EQ(entries.items()[0]["manager"].as_string(), "maker");
  EXPECT_EQ(entries.items()[0]["operation"].as_string(), "Update");
  EXPECT_EQ(entries.items()[0]["fieldsType"].as_string(), "FieldsV1");
}

TEST_P(EveryKind, HasAStatusOfItsOwnWhereItHasOne) {
  ASSERT_EQ(create(resource, example).status, 201);
  if (resource.subresource("status") == nullptr) {
    EXPECT_EQ(get(cat(self, "/status")).status, 404);
    return;
  }
  EXPECT_EQ(get(cat(self, "/status")).body, stored());
  const auto through_status = patch(cat(self, "/status"), R"({"spec":{"invented":1}})", kMergePatch);
  EXPECT_EQ(through_status.status, 200) << through_status.message();
  EXPECT_TRUE(stored()[keys::kSpec]["invented"].is_absent());
  const auto put = call("PUT", cat(self, "/status"), to_json(stored()));
  EXPECT_EQ(put.status, 200) << put.message();
}

TEST_P(EveryKind, IsWatchedFromAddedToDeleted) {
  const auto list = get(collection);
  auto watching = watch(cat(collection, "?watch=true&fieldSelector=metadata.name%3D", name,
                            "&resourceVersion=", list.version()));
  ASSERT_EQ(create(resource, example).status, 201);
  patch(self, R"({"metadata":{"labels":{"tier":"front"}}})");
  EXPECT_EQ(take(*watching), cat("ADDED ", name, ", MODIFIED ", name));
  call("DELETE", self, R"({"gracePeriodSeconds":0,"propagationPolicy":"Background"})");
  if (resource.id == kinds::kNamespaces) return;  // its controller ends it
  patch(self, R"({"metadata":{"finalizers":null}})");  // of volumes, which somebody might still use
  EXPECT_NE(take(*watching).find(cat("DELETED ", name)), std::string::npos);
}

TEST_P(EveryKind, IsNotTouchedByADryRun) {
  EXPECT_EQ(create(resource, example, "?dryRun=All").status, 201);
  EXPECT_EQ(get(self).status, 404);
  ASSERT_EQ(create(resource, example).status, 201);
  const Value before = stored();
  EXPECT_EQ(patch(cat(self, "?dryRun=All"), R"({"metadata":{"labels":{"tier":"x"}}})").status, 200);
  EXPECT_LT(call("DELETE", cat(self, "?dryRun=All")).status, 300);
  EXPECT_EQ(stored(), before);
}

TEST_P(EveryKind, RefusesFieldsItDoesNotHaveWhenAskedTo) {
  const Value odd = example.with("surprise", 1);
  EXPECT_EQ(create(resource, odd, "?fieldValidation=Strict").status, 400);
  const auto warned = create(resource, odd, "?fieldValidation=Warn");
  EXPECT_EQ(warned.status, 201);
  EXPECT_EQ(std::ranges::count(warned.warnings, "unknown field \"surprise\""), 1);
  EXPECT_TRUE(stored()["surprise"].is_absent());
}

TEST_P(EveryKind, TakesAGeneratedName) {
  Value unnamed = example.with(keys::kMetadata, example[keys::kMetadata].without(keys::kName));
  unnamed = unnamed.with_at({keys::kMetadata, keys::kGenerateName}, "made-");
  const auto made = create(resource, unnamed);
  // The names of these are given by what they are.
  if (resource.group == "apiextensions.k8s.io" || resource.group == "apiregistration.k8s.io") return;
  if (resource.id == kinds::kIpaddresses) {
    EXPECT_EQ(made.reason(), "Invalid");
    return;
  }
  ASSERT_EQ(made.status, 201) << made.message();
  EXPECT_EQ(object_name(made.body).size(), std::string("made-").size() + 5);
}

TEST_P(EveryKind, RefusesANameThatIsNone) {
  const Value wrong = example.with_at({keys::kMetadata, keys::kName}, "not/a name");
  const auto refused = create(resource, wrong);
  EXPECT_EQ(refused.status, 422) << refused.message();
  EXPECT_EQ(refused.body[keys::kDetails][keys::kKind].as_string(), resource.kind);
  EXPECT_EQ(refused.cause(), "metadata.name FieldValueInvalid");
  const Value nameless = example.with(keys::kMetadata, Value::empty_map());
  EXPECT_EQ(create(resource, nameless).status, 422);
}

TEST_P(EveryKind, RefusesWrongLabelsAndAnnotations) {
  const auto label = create(resource, labelled(example, "not a value!"));
  EXPECT_EQ(label.status, 422);
  EXPECT_EQ(label.cause(), "metadata.labels FieldValueInvalid");
  const auto annotation =
      create(resource, example.with_at({keys::kMetadata, keys::kAnnotations, Key("no key!")}, "x"));
  EXPECT_EQ(annotation.cause(), "metadata.annotations FieldValueInvalid");
}

TEST_P(EveryKind, WaitsForItsFinalizersAndThenGoes) {
  const Value held = example.with_at({keys::kMetadata, keys::kFinalizers}, Value::array({"example.com/hold"}));
  ASSERT_EQ(create(resource, held).status, 201);
  call("DELETE", self, R"({"gracePeriodSeconds":0})");
  ASSERT_EQ(get(self).status, 200);
  EXPECT_FALSE(stored()[keys::kMetadata][keys::kDeletionTimestamp].as_string().empty());
  patch(self, R"({"metadata":{"finalizers":null}})");
  if (resource.id == kinds::kNamespaces) return;  // has another one, in its spec
  EXPECT_EQ(get(self).status, 404);
}

TEST_P(EveryKind, HeedsPreconditionsOfADeletion) {
  ASSERT_EQ(create(resource, example).status, 201);
  EXPECT_EQ(call("DELETE", self, R"({"preconditions":{"uid":"another"}})").status, 409);
  EXPECT_EQ(call("DELETE", self, R"({"preconditions":{"resourceVersion":"1"}})").status, 409);
  EXPECT_EQ(get(self).status, 200);
}

TEST_P(EveryKind, GoesWithItsCollection) {
  ASSERT_EQ(create(resource, labelled(example, "chosen")).status, 201);
  const auto answer = call("DELETE", cat(collection, "?labelSelector=tier%3Dchosen&gracePeriodSeconds=0"));
  if (!resource.has_verb("deletecollection")) {
    EXPECT_EQ(answer.status, 405);
    return;
  }
  EXPECT_EQ(answer.status, 200) << answer.message();
  const auto left = get(self);
  const bool going = left.status == 404 || !left.metadata("deletionTimestamp").string().empty();
  EXPECT_TRUE(going) << to_json(left.body);
}

TEST_P(EveryKind, CountsItsGenerationByWhatIsWanted) {
  ASSERT_EQ(create(resource, example).status, 201);
  const Value first = stored()[keys::kMetadata][keys::kGeneration];
  patch(self, R"({"metadata":{"labels":{"tier":"x"}}})");
  EXPECT_EQ(stored()[keys::kMetadata][keys::kGeneration], first);
}

INSTANTIATE_TEST_SUITE_P(Of, EveryKind, ::testing::ValuesIn(stored_kinds()), [](const auto& of) {
  std::string text = cat(of.param->group, "_", of.param->version, "_", of.param->kind);
  for (char& c : text) c = c == '.' ? '_' : c;
  return text;
});

}  // namespace
}  // namespace minik::control
