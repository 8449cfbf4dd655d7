#include "libimage/storage/storage_name.h"

#include "libimage/io/path.h"

#include "tests/support/thrown.h"

namespace lade {
namespace {

using testing::code_thrown;

TEST(StorageName, IsTakenApart) {
  const StorageName name =
      StorageName::parse("[overlay@/var/lib+/run:overlay.mountopt=nodev,.size=1]localhost/a:b");
  EXPECT_EQ(name.driver, "overlay");
  EXPECT_EQ(name.graph_root, "/var/lib");
  EXPECT_EQ(name.run_root, "/run");
  EXPECT_EQ(name.options, (std::vector<std::string>{"overlay.mountopt=nodev", ".size=1"}));
  EXPECT_EQ(name.image, "localhost/a:b");
  EXPECT_EQ(StorageName::parse("[/root]").graph_root, "/root");
  EXPECT_EQ(StorageName::parse("busybox").image, "busybox");
  EXPECT_EQ(StorageName::parse("").image, "");
}

TEST(StorageName, SaysWhichRuleIsBroken) {
  for (const char* name : {"[/a", "[]x", "[relative]x", "[/a+b]x", "[@/a]x", "a@", "a@xyz", "A B",
                           "@0123456789abcdefg"}) {
    EXPECT_EQ(code_thrown([&] { (void)StorageName::parse(name); }), Errc::invalid_argument) << name;
  }
}

TEST(StorageName, GoesBeforeTheConfiguration) {
  const StoreLocation configured{
      .driver = "vfs", .graph_root = "/conf", .run_root = "/run/conf", .image_stores = {"/more"}};
  const StoreLocation own = StorageName::parse("[/own]a").location(configured);
  EXPECT_EQ(own.graph_root, "/own");
  EXPECT_EQ(own.driver, "");  // that of the other store says nothing
  EXPECT_TRUE(own.image_stores.empty());
  EXPECT_EQ(own.run_root, "/run/conf");
  EXPECT_EQ(StorageName::parse("a").location(configured).driver, "vfs");
  EXPECT_EQ(code_thrown([&] { (void)StorageName::parse("a").location({}); }),
            Errc::invalid_argument);
}

TEST(StorageName, TakesOptionsOfTheDriver) {
  StoreLocation location;
  apply_driver_options(location, {"overlay.imagestore=/a,/b", "ignore_chown_errors=true",
                                  "overlay.mountopt=nodev,metacopy=on"});
  EXPECT_EQ(location.image_stores, (std::vector<std::string>{"/a", "/b"}));
  EXPECT_TRUE(location.ignore_chown_errors);
  EXPECT_EQ(code_thrown([&] { apply_driver_options(location, {"overlay.force_mask=shared"}); }),
            Errc::unsupported);
  EXPECT_EQ(code_thrown([&] { apply_driver_options(location, {"overlay.colour=blue"}); }),
            Errc::invalid_argument);
}

TEST(ImageSpec, TellsIdsFromNames) {
  const std::string id(64, 'a');
  EXPECT_EQ(ImageSpec::parse("@" + id).id, id);
  EXPECT_EQ(ImageSpec::parse(id).id, id);
  EXPECT_EQ(ImageSpec::parse("@abc").id, "abc");
  EXPECT_EQ(ImageSpec::parse("busybox").name->str(), "docker.io/library/busybox:latest");
  const ImageSpec both = ImageSpec::parse("localhost/a:b@" + id);
  EXPECT_EQ(both.id, id);
  EXPECT_EQ(both.name->str(), "localhost/a:b");
  const ImageSpec digest = ImageSpec::parse("localhost/a@sha256:" + id);
  EXPECT_EQ(digest.id, "");
  EXPECT_EQ(digest.name->digest->encoded(), id);
}

TEST(ImageSpec, FindsImagesByAllThatNamesThem) {
  const std::string id = std::string(60, 'a') + "0123";
  const std::string digest = "sha256:" + std::string(64, 'd');
  const std::string twin = std::string(60, 'a') + "0124";
  StoreView view;
  // The driver's root is not looked at here.
  const TempDir temp("/tmp");
  const GraphRoot root(temp.path(), "vfs", StoreAccess::write, {});
  view.add(
      ImageRecord{
          .id = id, .names = {"localhost/a:b"}, .data_digests = {{"manifest-" + digest, digest}}},
      root);
  view.add(ImageRecord{.id = twin, .names = {"localhost/twin:latest"}}, root);
  view.add(ImageRecord{.id = "../../x", .names = {"localhost/evil:latest"}}, root);
  for (const std::string& text : {id, "@" + id, std::string("localhost/a:b"), "localhost/a:b@" + id,
                                  "localhost/a@" + digest, "localhost/a:other@" + digest}) {
    const KnownImage* const image = find_image(view, text);
    ASSERT_NE(image, nullptr) << text;
    EXPECT_EQ(image->record.id, id) << text;
  }
  for (const std::string& text : {std::string("localhost/a:c"), "localhost/b:b@" + id,
                                  "localhost/b@" + digest, std::string("localhost/evil")}) {
    EXPECT_EQ(find_image(view, text), nullptr) << text;
  }
  EXPECT_EQ(code_thrown([&] { (void)find_image(view, "@aaaa"); }), Errc::invalid_argument);
}

}  // namespace
}  // namespace lade
