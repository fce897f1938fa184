"""A map to click on: stations from CSV as an HTML page made with folium."""

import csv
import os
from pathlib import Path

import folium

inputs = Path(os.environ["INPUT_DIR"])
with open(inputs / "stations.csv", newline="") as source:
    stations = list(csv.DictReader(source))

places = [(float(station["lat"]), float(station["lon"])) for station in stations]
page = folium.Map(tiles="OpenStreetMap")
page.fit_bounds(places, padding=(30, 30))
for station, place in zip(stations, places):
    temperature = float(station["temperature"])
    folium.CircleMarker(
        place,
        radius=8,
        color="#d7301f" if temperature > 5 else "#3182bd",
        fill=True,
        tooltip=f"{station['name']}: {temperature:.1f} °C",
    ).add_to(page)

page.save("map.html")
print(f"Wrote map.html with {len(stations)} stations")
