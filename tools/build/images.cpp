// lade images, rmi, prune: the local store's images.
#include "tools/common/images.h"

#include <array>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/oci/image_config.h"
#include "libimage/oci/json_text.h"
#include "libimage/oci/layout.h"

#include "tools/build/verbs.h"
#include "tools/common/terminal.h"

namespace lade::tools {
namespace {

struct Row {
  std::string name;
  std::string digest;
  std::string image_id;
  std::string created;
  std::string platform;
  std::uint64_t size = 0;  ///< bytes of the layers as stored
};

Row row_of(LayoutStore& images, const oci::Descriptor& entry) {
  Row row{.name = entry.annotation(std::string(oci::kRefNameAnnotation)),
          .digest = entry.digest.str(),
          .image_id = {},
          .created = {},
          .platform = {}};
  const oci::Document document = images.document(entry);
  if (const auto* index = std::get_if<oci::Index>(&document.parsed)) {
    row.platform = cat("index of ", index->manifests.size());
    return row;
  }
  const auto* manifest = std::get_if<oci::Manifest>(&document.parsed);
  if (manifest == nullptr) return row;
  row.image_id = manifest->config.digest.str();
  for (const oci::Descriptor& layer : manifest->layers) row.size += layer.size;
  if (oci::is_image_config(manifest->config.media_type)) {
    const auto source = images.open(manifest->config);
    const oci::ImageConfig config =
        oci::parse_image_config(read_all(*source, oci::kMaxConfigBytes, "config"));
    row.created = config.created;
    row.platform = oci::to_string(config.platform());
  }
  return row;
}

std::string brief(const std::string& digest) {
  const std::size_t colon = digest.find(':');
  return colon == std::string::npos ? digest : digest.substr(colon + 1, 12);
}

void print_table(const std::vector<Row>& rows) {
  std::size_t width = 4;
  std::size_t platform_width = 8;
  for (const Row& row : rows) {
    width = std::max(width, row.name.size());
    platform_width = std::max(platform_width, row.platform.size());
  }
  std::string out =
      cat(padded_right("NAME", width), "  ", padded_right("IMAGE ID", 12), "  ",
          padded_right("PLATFORM", platform_width), "  ", padded_right("CREATED", 20), "  SIZE\n");
  for (const Row& row : rows) {
    out += cat(padded_right(printable(row.name.empty() ? "<none>" : row.name), width), "  ",
               padded_right(brief(row.image_id), 12), "  ",
               padded_right(printable(row.platform), platform_width), "  ",
               padded_right(printable(row.created.substr(0, 20)), 20), "  ",
               row.image_id.empty() ? std::string() : human_size(row.size), "\n");
  }
  print(out);
}

void print_json(const std::vector<Row>& rows) {
  std::string out = "[";
  for (const Row& row : rows) {
    out += cat(out.size() == 1 ? "" : ",", "{\"name\":", oci::json_string(row.name),
               ",\"digest\":", oci::json_string(row.digest),
               ",\"imageId\":", oci::json_string(row.image_id),
               ",\"platform\":", oci::json_string(row.platform),
               ",\"created\":", oci::json_string(row.created), ",\"size\":", row.size, "}");
  }
  print(cat(oci::pretty_json(out + "]"), "\n"));
}

int run_images(const Arguments& arguments, const Environment& environment) {
  Stores stores(environment);
  LayoutStore& images = stores.local().images();
  std::vector<Row> rows;
  for (const oci::Descriptor& entry : images.entries()) rows.push_back(row_of(images, entry));
  if (arguments.flag("quiet")) {
    for (const Row& row : rows) print(cat(row.digest, "\n"));
  } else if (arguments.value_or("format", "table") == "json") {
    print_json(rows);
  } else {
    print_table(rows);
  }
  return 0;
}

int run_rmi(const Arguments& arguments, const Environment& environment) {
  Stores stores(environment);
  LocalStore& local = stores.local();
  for (const std::string& name : arguments.positional()) {
    with_context(
        [&] { return cat("remove ", printable(name)); },
        [&] {
          const auto found = find_local(local, name);
          if (!found) throw Error(Errc::not_found, "no such image in the local store");
          const std::string key(oci::kRefNameAnnotation);
          const std::string ref = found->annotation(key);
          local.images().edit_index([&](oci::Index& index) {
            std::erase_if(index.manifests, [&](const oci::Descriptor& entry) {
              return entry.digest == found->digest && entry.annotation(key) == ref;
            });
          });
          print(cat("untagged: ", ref.empty() ? found->digest.str() : printable(ref), "\n"));
        });
  }
  return 0;
}

int run_prune(const Arguments& arguments, const Environment& environment) {
  Stores stores(environment);
  const PruneReport report =
      with_context([] { return std::string("prune"); },
                   [&] { return stores.local().prune(arguments.flag("all")); });
  print(cat("removed ", report.blobs, " blobs, ", report.snapshots, " unpacked layers, ",
            report.steps, " step results, ", report.cache_mounts,
            " cache mounts: ", human_size(report.bytes), "\n"));
  return 0;
}

constexpr std::array<std::string_view, 2> kListFormats = {"table", "json"};
constexpr std::array<OptionSpec, 2> kImagesOptions = {{
    {.name = "format", .value = "FORMAT", .help = "how to print the list", .choices = kListFormats},
    {.name = "quiet", .letter = 'q', .help = "print digests only"},
}};
constexpr std::array<std::span<const OptionSpec>, 1> kImagesGroups = {kImagesOptions};
constexpr std::array<OptionSpec, 1> kPruneOptions = {{
    {.name = "all",
     .letter = 'a',
     .help =
         "also cache mounts and the results of build steps, so that the next build starts cold"},
}};
constexpr std::array<std::span<const OptionSpec>, 1> kPruneGroups = {kPruneOptions};
constexpr std::array<std::string_view, 2> kImagesExamples = {"List the local images for a script",
                                                             "lade images --format json"};
constexpr std::array<std::string_view, 2> kRmiExamples = {"Forget an image and free its room",
                                                          "lade rmi app && lade prune"};
constexpr std::array<std::string_view, 2> kPruneExamples = {"Free everything that no image needs",
                                                            "lade prune --all"};

}  // namespace

const VerbSpec kImagesVerb = {
    .name = "images",
    .synopsis = "",
    .summary = "list the images of the local store",
    .description =
        "Lists the images of the local store: name, image ID (digest of the config), platform, "
        "creation time and the "
        "size of its layers as stored.",
    .options = kImagesGroups,
    .examples = kImagesExamples,
    .run = run_images,
    .group = "Build",
};

const VerbSpec kRmiVerb = {
    .name = "rmi",
    .synopsis = "IMAGE...",
    .summary = "remove names from the local store",
    .description =
        "Removes each IMAGE's name from the local store. The blobs stay until 'lade prune' finds "
        "that nothing needs "
        "them.",
    .examples = kRmiExamples,
    .min_positional = 1,
    .max_positional = 1000,
    .run = run_rmi,
    .group = "Build",
};

const VerbSpec kPruneVerb = {
    .name = "prune",
    .synopsis = "",
    .summary = "remove what no image of the local store needs",
    .description =
        "Removes blobs, unpacked layers and results of build steps that no name and no running "
        "build reaches. Without "
        "--all the results of build steps and what they need stay, so that builds go on being "
        "cached.",
    .options = kPruneGroups,
    .examples = kPruneExamples,
    .run = run_prune,
    .in_user_namespace = true,
    .group = "Build",
};

}  // namespace lade::tools
