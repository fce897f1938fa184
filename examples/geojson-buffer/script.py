"""Who lives near a tram stop? Buffers the stops, counts the homes inside, draws a map and leaves GeoJSON."""

import json
import os
from pathlib import Path

import geopandas as gpd
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

DEGREES = "EPSG:4326"
METRES = "EPSG:25832"  # UTM zone 32: distances are only right in a projection that measures in metres

inputs = Path(os.environ["INPUT_DIR"])
distance = json.loads((inputs / "request.json").read_text())["distanceMetres"]


def read(name):
    # From text, so that reading needs none of GDAL's drivers; GeoJSON is always in degrees.
    features = json.loads((inputs / name).read_text())
    return gpd.GeoDataFrame.from_features(features, crs=DEGREES).to_crs(METRES)


tram, homes = read("tram.geojson"), read("homes.geojson")
line, stops = tram[tram["kind"] == "line"], tram[tram["kind"] == "stop"]

area = gpd.GeoSeries([stops.buffer(distance).unary_union], crs=METRES)
homes["near"] = homes.within(area.iloc[0])
near = homes[homes["near"]]
print(f"{len(stops)} stops, {len(homes)} homes")
print(f"{area.area.sum() / 1e6:.2f} km² are within {distance} m of a stop")
print(f"{len(near)} homes with {near['people'].sum()} of {homes['people'].sum()} people are inside")


def draw(path):
    figure, axes = plt.subplots(figsize=(10, 7), dpi=120)
    axes.set_facecolor("#f6f4ef")
    area.plot(ax=axes, color="#9ecae1", edgecolor="#3182bd", linewidth=1.2, alpha=0.55, zorder=1)
    homes[~homes["near"]].plot(ax=axes, color="#8c8c8c", markersize=homes[~homes["near"]]["people"] * 6, zorder=2)
    near.plot(ax=axes, color="#238b45", markersize=near["people"] * 6, zorder=3)
    line.plot(ax=axes, color="#d7301f", linewidth=3, zorder=4)
    stops.plot(ax=axes, color="white", edgecolor="#d7301f", linewidth=2, markersize=70, zorder=5)
    for name, point in zip(stops["name"], stops.geometry):
        axes.annotate(name, (point.x, point.y), xytext=(0, 11), textcoords="offset points", ha="center",
                      fontsize=10, fontweight="bold", zorder=6,
                      bbox={"boxstyle": "round,pad=0.2", "facecolor": "white", "edgecolor": "none", "alpha": 0.8})
    draw_scale(axes)
    handles = [
        plt.Line2D([], [], marker="o", color="#d7301f", markerfacecolor="white", linewidth=3, label="Tram 1 and its stops"),
        plt.Rectangle((0, 0), 1, 1, facecolor="#9ecae1", edgecolor="#3182bd", alpha=0.55, label=f"within {distance} m"),
        plt.Line2D([], [], marker="o", color="#238b45", linewidth=0, label="homes inside"),
        plt.Line2D([], [], marker="o", color="#8c8c8c", linewidth=0, label="homes outside"),
    ]
    axes.legend(handles=handles, loc="upper left", framealpha=0.95)
    share = near["people"].sum() / homes["people"].sum()
    axes.set_title(f"{share:.0%} of the people live within {distance} m of a stop", fontsize=14, loc="left")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_aspect("equal")
    figure.savefig(path, bbox_inches="tight")


def draw_scale(axes):
    """One kilometre, in the lower right corner."""
    west, south, east, north = homes.total_bounds
    x, y = east - 1000, south + 0.02 * (north - south)
    axes.plot([x, x + 1000], [y, y], color="black", linewidth=3, solid_capstyle="butt", zorder=6)
    axes.annotate("1 km", (x + 500, y), xytext=(0, 5), textcoords="offset points", ha="center", zorder=6)


draw("map.png")
result = gpd.GeoDataFrame({"distanceMetres": [distance]}, geometry=area.to_crs(DEGREES).values, crs=DEGREES)
Path("near-stops.geojson").write_text(result.to_json(indent=1))
print("Wrote map.png and near-stops.geojson")
