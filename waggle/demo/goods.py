"""What the simulated shop sells, and the names its shoppers go by."""

from dataclasses import dataclass

CURRENCY = "EUR"
SHOP_URL = "https://hive-and-honey.example"


@dataclass(frozen=True, slots=True)
class Product:
    """One thing on the shelf; `price_minor` in cents."""

    sku: str
    name: str
    price_minor: int

    @property
    def url(self) -> str:
        """Where it can be looked at."""
        return f"{SHOP_URL}/goods/{self.sku}"


SHELF = (
    Product("linden-500", "Linden honey, 500 g", 1190),
    Product("acacia-500", "Acacia honey, 500 g", 1390),
    Product("heather-250", "Heather honey, 250 g", 1150),
    Product("forest-1000", "Forest honey, 1 kg", 2290),
    Product("comb-400", "Honeycomb in a wooden frame", 1890),
    Product("mead-750", "Dry mead, three years old", 2450),
    Product("hamper-oak", "Beekeeper's hamper", 6900),
    Product("candles-6", "Six beeswax candles", 1690),
    Product("hive-kit", "Garden hive, flat-packed", 11900),
    Product("smoker-steel", "Steel smoker", 3450),
    Product("veil-hat", "Straw hat with veil", 2750),
    Product("book-year", "The Beekeeper's Year, hardback", 3200),
)
TRIFLES = (
    Product("lip-balm", "Beeswax lip balm", 490),
    Product("drops-mint", "Honey and mint drops", 390),
    Product("soap-oat", "Oat and honey soap", 590),
)
"""So cheap that a cart of one of them is worth no coupon."""

FIRST_NAMES = (
    *("Zofia", "Jakub", "Hanna", "Antoni", "Maja", "Franciszek", "Lena", "Tymon", "Pola", "Iga"),
    *("Greta", "Emil", "Frieda", "Joris", "Carmen", "Pablo", "Nuria", "Anil", "Priya", "Kavya"),
    *("Haruto", "Yui", "Sora", "Aoi", "Grace", "Walter", "Ruth", "Calvin", "June", "Otis"),
)
