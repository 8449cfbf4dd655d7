#include "libimage/config/registry_places.h"

#include <gtest/gtest.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"

namespace lade {
namespace {

using PullFrom = RegistriesConf::PullFrom;

RegistryPlaces places(const std::string& conf, const std::string& name) {
  return find_places(RegistriesConf::parse(conf, "FILE"), Reference::parse(name));
}

std::string failure(const std::string& conf, const std::string& name) {
  try {
    (void)places(conf, name);
  } catch (const Error& e) {
    return e.what();
  }
  return {};
}

TEST(RegistryPlaces, AreWhereTheNameSaysWithoutARule) {
  EXPECT_EQ(
      places("", "docker.io/debian:12"),
      (RegistryPlaces{.location = {.registry = "docker.io", .repository = "library/debian"}}));
}

TEST(RegistryPlaces, LocationsReplaceThePrefix) {
  struct Case {
    const char* prefix;
    const char* location;
    const char* name;
    const char* registry;
    const char* repository;
  };
  const Case cases[] = {
      {"a.b", "c.d", "a.b/x/y:1", "c.d", "x/y"},
      {"a.b", "c.d/deep", "a.b/x:1", "c.d", "deep/x"},
      {"a.b/x", "c.d/z", "a.b/x/y:1", "c.d", "z/y"},
      {"a.b/x", "c.d/z", "a.b/x:1", "c.d", "z"},
      {"a.b/x/y", "c.d/q",
       "a.b/x/y@sha256:0123456789012345678901234567890123456789012345678901234567890123", "c.d",
       "q"},
      {"*.a.b", "c.d/wild", "q.a.b/x:1", "c.d", "wild/x"},
      {"docker.io", "mirror.d:5000", "debian", "mirror.d:5000", "library/debian"},
      {"docker.io/library", "c.d/hub", "debian", "c.d", "hub/debian"},
      {"a.b:5000", "c.d", "a.b:5000/x:1", "c.d", "x"},
      {"a.b", "c.d", "a.b:5000/x:1", "c.d:5000", "x"},
      {"a.b/x:1", "c.d/y:1", "a.b/x:1", "c.d", "y"},
  };
  for (const Case& c : cases) {
    const RegistryPlaces found = places(
        std::string("[[registry]]\nprefix='") + c.prefix + "'\nlocation='" + c.location + "'\n",
        c.name);
    EXPECT_EQ(found.location.registry, c.registry) << c.name;
    EXPECT_EQ(found.location.repository, c.repository) << c.name;
  }
}

TEST(RegistryPlaces, RefuseLocationsThatMakeNoName) {
  EXPECT_NE(failure("[[registry]]\nprefix='a.b'\nlocation='Not Valid'\n", "a.b/x")
                .find("FILE: location 'Not Valid'"),
            std::string::npos);
  EXPECT_NE(failure("[[registry]]\nprefix='a.b'\nlocation='plain'\n", "a.b/x")
                .find("no name of an image"),
            std::string::npos);
  EXPECT_NE(failure("[[registry]]\nprefix='*.a.b'\nlocation='c.d/x'\n", "q.a.b:5000/x")
                .find("no name of an image"),
            std::string::npos);
  EXPECT_NE(failure("[[registry]]\nprefix='a.b/x:1'\nlocation='c.d/y:2'\n", "a.b/x:1")
                .find("change the tag"),
            std::string::npos);
}

TEST(RegistryPlaces, ListMirrorsInOrder) {
  const RegistryPlaces found = places(
      "[[registry]]\nprefix='a.b/team'\nlocation='c.d/other'\ninsecure=true\n"
      "[[registry.mirror]]\nlocation='m.e:5000/copy'\ninsecure=true\n"
      "[[registry.mirror]]\nlocation='n.e'\npull-from-mirror='digest-only'\n",
      "a.b/team/app:1");
  EXPECT_EQ(
      found,
      (RegistryPlaces{
          .location = {.registry = "c.d", .repository = "other/app", .insecure = true},
          .mirrors = {{.registry = "m.e:5000", .repository = "copy/app", .insecure = true},
                      {.registry = "n.e", .repository = "app", .serves = PullFrom::digests}}}));
}

TEST(RegistryPlaces, AreInsecureWhereTheirOwnNamesSaySo) {
  const RegistryPlaces found = places(
      "[[registry]]\nprefix='a.b'\nlocation='c.d/x'\n"
      "[[registry.mirror]]\nlocation='m.e'\n[[registry.mirror]]\nlocation='n.e'\n"
      "[[registry]]\nlocation='c.d'\ninsecure=true\n[[registry]]\nlocation='m.e'\ninsecure=true\n",
      "a.b/app:1");
  EXPECT_TRUE(found.location.insecure);
  EXPECT_TRUE(found.mirrors[0].insecure);
  EXPECT_FALSE(found.mirrors[1].insecure);
}

TEST(RegistryPlaces, OfDockerHubAreInsecureByTheNameInReferences) {
  const std::string hub = "[[registry]]\nlocation='docker.io'\ninsecure=true\n";
  for (const char* name : {"debian", "docker.io/debian:12", "index.docker.io/library/debian"}) {
    const RegistryPlaces found = places(hub, name);
    EXPECT_EQ(found.location.registry, "docker.io") << name;
    EXPECT_TRUE(found.location.insecure) << name;
  }
  // Where a location leads there, and where the image has a mirror there.
  EXPECT_TRUE(places(cat(hub, "[[registry]]\nprefix='a.b'\nlocation='docker.io/team'\n"), "a.b/app")
                  .location.insecure);
  const RegistryPlaces mirrored = places(
      cat(hub, "[[registry]]\nlocation='a.b'\n[[registry.mirror]]\nlocation='docker.io/m'\n"),
      "a.b/app");
  EXPECT_FALSE(mirrored.location.insecure);
  EXPECT_TRUE(mirrored.mirrors.at(0).insecure);
}

TEST(RegistryPlaces, SayWhatBlocksThem) {
  const std::string conf =
      "[[registry]]\nlocation='bad.b'\nblocked=true\n"
      "[[registry]]\nprefix='moved.b'\nlocation='bad.b/x'\nblocked=false\n"
      "[[registry]]\nlocation='source.b'\nblocked=true\n"
      "[[registry.mirror]]\nlocation='good.b'\n[[registry.mirror]]\nlocation='bad.b'\n"
      "[[registry]]\nprefix='tag.b/app:old'\nlocation='tag.b/app:old'\nblocked=true\n";
  EXPECT_EQ(places(conf, "bad.b/x").location.blocked_by, "registry bad.b is blocked in FILE");
  EXPECT_EQ(places(conf, "bad.b:5000/x").location.blocked_by, "registry bad.b is blocked in FILE");
  EXPECT_EQ(places(conf, "moved.b/x").location.blocked_by, "registry bad.b is blocked in FILE");
  const RegistryPlaces mirrored = places(conf, "source.b/x");
  EXPECT_EQ(mirrored.location.blocked_by, "registry source.b is blocked in FILE");
  EXPECT_EQ(mirrored.mirrors[0].blocked_by, "");
  EXPECT_EQ(mirrored.mirrors[1].blocked_by, "registry bad.b is blocked in FILE");
  EXPECT_EQ(places(conf, "tag.b/app:old").location.blocked_by,
            "registry tag.b/app:old is blocked in FILE");
  EXPECT_EQ(places(conf, "tag.b/app:new").location.blocked_by, "");
}

TEST(RegistryPlaces, OfARegistryItselfAreNotMoved) {
  const RegistriesConf conf = RegistriesConf::parse(
      "[[registry]]\nprefix='a.b'\nlocation='c.d'\ninsecure=true\n[[registry.mirror]]\nlocation='m."
      "b'\n"
      "[[registry]]\nlocation='bad.b'\nblocked=true\n",
      "FILE");
  EXPECT_EQ(find_places(conf, {.registry = "a.b", .repository = ""}),
            (RegistryPlaces{.location = {.registry = "a.b", .repository = "", .insecure = true}}));
  EXPECT_NE(find_places(conf, {.registry = "bad.b", .repository = ""}).location.blocked_by, "");
}

TEST(ShortNames, MeanDockerHubWhereNothingIsConfigured) {
  const RegistriesConf conf;
  EXPECT_EQ(expand_short_name(conf, "debian:12"), std::vector<std::string>{"debian:12"});
}

TEST(ShortNames, AreLookedUpAsAliasesThenSearchedFor) {
  const RegistriesConf conf = RegistriesConf::parse(
      "unqualified-search-registries=['one.b','two.b:5000']\n"
      "[aliases]\napp='a.b/team/app'\n'team/tool'='a.b/tool'\nreset=''\n",
      "FILE");
  using Names = std::vector<std::string>;
  EXPECT_EQ(expand_short_name(conf, "app"), Names{"a.b/team/app"});
  EXPECT_EQ(expand_short_name(conf, "app:1.0"), Names{"a.b/team/app:1.0"});
  EXPECT_EQ(expand_short_name(conf, "app@sha256:aa"), Names{"a.b/team/app@sha256:aa"});
  EXPECT_EQ(expand_short_name(conf, "team/tool:2"), Names{"a.b/tool:2"});
  EXPECT_EQ(expand_short_name(conf, "other/app:2"),
            (Names{"one.b/other/app:2", "two.b:5000/other/app:2"}));
  EXPECT_EQ(expand_short_name(conf, "reset"), (Names{"one.b/reset", "two.b:5000/reset"}));
  EXPECT_EQ(expand_short_name(conf, "c.d/app"), Names{"c.d/app"});
  EXPECT_EQ(expand_short_name(conf, "localhost/app"), Names{"localhost/app"});
}

TEST(ShortNames, ThatDemandAChoiceAreRefused) {
  RegistriesConf conf = RegistriesConf::parse(
      "short-name-mode='enforcing'\nunqualified-search-registries=['one.b','two.b']\n", "FILE");
  EXPECT_THROW((void)expand_short_name(conf, "app"), Error);
  conf.search_registries = {{"one.b"}};
  EXPECT_EQ(expand_short_name(conf, "app"), std::vector<std::string>{"one.b/app"});
}

}  // namespace
}  // namespace lade
