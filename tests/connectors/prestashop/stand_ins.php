<?php
// Stand-ins for the classes of PrestaShop that the module touches; what is kept is kept in memory.
// Usage: php stand_ins.php MODULE URL SECRET STORY

define('_PS_VERSION_', '9.0.0');
define('_DB_PREFIX_', 'ps_');
define('_COOKIE_KEY_', 'cookie-key');

class Configuration
{
    public static $kept = [];

    public static function get($key)
    {
        return self::$kept[$key] ?? false;
    }

    public static function updateValue($key, $value)
    {
        self::$kept[$key] = $value;

        return true;
    }
}

class Db
{
    public static $rows = [];
    public static $last = 0;

    public static function getInstance()
    {
        return new self();
    }

    public function insert($table, $row)
    {
        $id = ++self::$last;
        $row['body'] = stripslashes($row['body']);
        self::$rows[$id] = $row + ['id_outbox' => $id, 'attempts' => 0, 'not_before' => 0];
    }

    public function update($table, $changes, $where)
    {
        $id = (int) filter_var($where, FILTER_SANITIZE_NUMBER_INT);
        self::$rows[$id] = array_merge(self::$rows[$id], $changes);
    }

    public function delete($table, $where)
    {
        unset(self::$rows[(int) filter_var($where, FILTER_SANITIZE_NUMBER_INT)]);
    }

    public function execute($statement)
    {
        return true;
    }

    public function executeS($statement)
    {
        return array_values(self::$rows);
    }
}

class Module
{
    public $context;
    public $name;
    public $tab;
    public $version;
    public $author;
    public $need_instance;
    public $bootstrap;
    public $ps_versions_compliancy;
    public $displayName;
    public $description;

    public function __construct()
    {
        $this->context = (object) ['cart' => null, 'link' => new Link()];
    }
}

class Link
{
    public function getPageLink($page, $ssl, $language, $query)
    {
        return 'https://shop.example/' . $page . '?' . http_build_query($query);
    }
}

class Validate
{
    public static function isLoadedObject($object)
    {
        return (int) $object->id > 0;
    }
}

class Language
{
    public $iso_code = 'pl';
}

class Currency
{
    public $iso_code = 'EUR';
}

class CartRule
{
    public $code = 'SPRING10';
}

class OrderState
{
    public $id;
    public $paid = false;
    public $shipped = false;
}

class Customer
{
    public $id;
    public $id_lang = 1;
    public $email = "iga.d'arc@example.com";
    public $firstname = 'Iga "Ż"';
    public $lastname = 'Wilk \\ Kos';
    public $newsletter = '1';
    public $newsletter_date_add = '2026-04-20 07:00:00';
    public $ip_registration_newsletter = '203.0.113.12';
    public $date_upd = '2026-05-04 09:30:00';

    public function __construct($id = 31)
    {
        $this->id = $id;
    }
}

class Cart
{
    public $id;
    public $id_customer = 31;
    public $id_currency = 1;
    public $id_lang = 1;

    public function __construct($id = 220)
    {
        $this->id = $id;
    }

    public function orderExists()
    {
        return false;
    }

    public function getProducts($refresh)
    {
        return [[
            'reference' => 'HONEY-500', 'id_product' => 7, 'id_product_attribute' => 0,
            'name' => 'Linden honey 500 g', 'cart_quantity' => '2', 'price_wt' => 12.499999,
        ]];
    }
}

class Order
{
    public $id;
    public $id_cart = 220;
    public $id_customer = 31;
    public $total_paid_tax_incl = '29.990000';

    public function __construct($id = 77)
    {
        $this->id = $id;
    }

    public function getCartRules()
    {
        return [['id_cart_rule' => 5]];
    }

    public function getProducts()
    {
        return [[
            'product_reference' => '', 'product_id' => 7, 'product_attribute_id' => 2,
            'product_name' => 'Linden honey 500 g', 'product_quantity' => '2', 'unit_price_tax_incl' => '12.500000',
        ]];
    }
}

function pSQL($text, $html = false)
{
    return addslashes($text);
}

date_default_timezone_set('UTC');
[, $module, $url, $secret, $story] = $argv;
require $module;
Configuration::$kept = [
    'WAGGLE_URL' => $url,
    'WAGGLE_SECRET' => $secret,
    'PS_OS_CANCELED' => 6,
    'PS_OS_REFUND' => 7,
    'PS_OS_DELIVERED' => 5,
];
$waggle = new Waggle();
$shipped = new OrderState();
$shipped->id = 4;
$shipped->shipped = true;
if ($story === 'cart') {
    $waggle->hookActionCartSave(['cart' => new Cart()]);
    $waggle->hookActionCartSave(['cart' => new Cart()]);
} elseif ($story === 'order') {
    $waggle->hookActionCartSave(['cart' => new Cart()]);
    $waggle->hookActionValidateOrder([
        'order' => new Order(), 'cart' => new Cart(), 'customer' => new Customer(), 'currency' => new Currency(),
    ]);
    $waggle->hookActionOrderStatusPostUpdate(['newOrderStatus' => $shipped, 'id_order' => 77]);
} else {
    $waggle->hookActionCustomerAccountAdd(['newCustomer' => new Customer()]);
}
register_shutdown_function(function () {
    // What is left is told by its number of tries.
    echo json_encode(array_column(Db::$rows, 'attempts'));
});
